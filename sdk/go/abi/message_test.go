package abi

// Message is what NewMessage returns in tests.
type Message interface {
	Marshal() ([]byte, error)
	Unmarshal(b []byte) error
}

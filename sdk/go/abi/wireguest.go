package abi

// skipUnknownFields is true in a guest: a newer host may say more than this SDK
// knows. Fields that must not be skipped are critical, and a host never hands
// those to a guest of an older minor.
const skipUnknownFields = true

// WireError says which field of a message is not canonical, and why.
type WireError struct {
	// Where is the message and field: "Intent.amount".
	Where string
	// Problem is one sentence without a full stop.
	Problem string
}

// Error formats the error on one line.
func (e *WireError) Error() string { return e.Where + ": " + e.Problem }

func badWire(where, problem string) error { return &WireError{where, problem} }

func badMessage(where, problem string) error { return &WireError{where, problem} }

func badEnum(enum, got string) error {
	const shown = 40
	if len(got) > shown {
		got = got[:shown]
	}
	return &WireError{enum, got + " is not a known value"}
}

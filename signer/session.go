package signer

import (
	"crypto/sha256"
	"encoding/binary"
)

// WalletBytesMax bounds a wallet name inside a session.
const WalletBytesMax = 128

// Session names one run of a protocol between two parties. Both sides must hold the same ID, Wallet and Epoch and
// mirrored roles, or the first frame is refused.
type Session struct {
	// ID is single use and unpredictable. Derive it from fresh randomness of both sides, so that neither can make
	// the other run a session twice: the library has no session nonce of its own.
	ID [32]byte
	// Wallet is the wallet's id, 1 to 128 bytes. It is bound into every frame.
	Wallet string
	// Epoch counts the refreshes of the wallet's shares. Shares of different epochs do not work together; binding
	// the number makes that a refused frame instead of a failed proof.
	Epoch uint32
	// Derivation is which key under the wallet's root the session signs with. It is fixed before the first message: a
	// session for one agent's key can never sign with another's.
	Derivation Derivation
	// Hurry, when not nil, says that the session is prepared ahead of its payment: until the channel is closed, frames
	// that leave before the digest is fixed are held to a coarse raster, which hides how long secret arithmetic took, and
	// the arithmetic yields to sessions that somebody waits for. It is this side's own affair and in no frame.
	Hurry <-chan struct{}
	// Self and Peer are the roles of this side and of the authenticated other side.
	Self, Peer Role
}

// Check refuses a session that cannot be run.
func (s Session) Check() error {
	if err := CheckSessionName(s.ID, s.Wallet); err != nil {
		return err
	}
	if !s.Self.Valid() || !s.Peer.Valid() || s.Self == s.Peer {
		return inputError("session", "a session needs two different roles out of runtime, co-signer and recovery")
	}
	if s.Derivation.Path != "" {
		if _, err := parsePath(s.Derivation.Path); err != nil {
			return err
		}
	}
	return nil
}

// CheckSessionName refuses a session id or wallet id that no session may have.
func CheckSessionName(id [32]byte, wallet string) error {
	if id == ([32]byte{}) {
		return inputError("session", "the session id is zero")
	}
	if wallet == "" || len(wallet) > WalletBytesMax {
		return inputError("session", "the wallet id must have 1 to 128 bytes")
	}
	return nil
}

// Binding is what every frame of the session carries in [Frame.Session]: a hash of the protocol, the id, the wallet,
// the path, the epoch and the two roles. A transport that carries several sessions routes by it.
func (s Session) Binding() [32]byte {
	low, high := min(s.Self, s.Peer), max(s.Self, s.Peer)
	return BindSession("purser/mpc/v2/sign/ecdsa-secp256k1:"+s.Derivation.Path, s.ID, s.Wallet, s.Epoch, low, high)
}

// BindSession hashes a protocol name, a session and the roles in it, with every variable part preceded by its length, so that no two sessions share an encoding.
func BindSession(protocol string, id [32]byte, wallet string, epoch uint32, roles ...Role) [32]byte {
	data := appendSized(nil, protocol)
	data = append(data, id[:]...)
	data = appendSized(data, wallet)
	data = binary.BigEndian.AppendUint32(data, epoch)
	for _, role := range roles {
		data = append(data, byte(role))
	}
	return sha256.Sum256(data)
}

func appendSized(data []byte, text string) []byte {
	data = binary.BigEndian.AppendUint32(data, uint32(len(text))) //nolint:gosec // at most WalletBytesMax, checked by the caller
	return append(data, text...)
}

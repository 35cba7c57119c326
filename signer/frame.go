package signer

import (
	"bytes"
	"encoding/binary"

	"github.com/purserhq/purser/abi"
)

const (
	frameVersion = 2
	// frameTypeBytesMax bounds the name of a message type.
	frameTypeBytesMax = 32
	// FrameBodyBytesMax bounds one message: the largest honest one, of a resharing, has 175 kB.
	FrameBodyBytesMax = 192 << 10

	frameHeadBytes = 1 + 32 + 32 + 1 + 1 + 4 + 1 // version, session, armed, from, to, seq, length of the type
	frameSizeBytes = 4                           // length of the body
	// FrameBytesMax bounds an encoded frame. A transport refuses a longer one before it allocates.
	FrameBytesMax = frameHeadBytes + frameTypeBytesMax + frameSizeBytes + FrameBodyBytesMax
)

// Frame is one message on its way between two parties. It has one encoding, [Frame.MarshalBinary], which is what
// travels even inside one process.
type Frame struct {
	// Session is the binding of the session, see [Session.Binding].
	Session [32]byte
	// Armed is the hash of the record that both sides signed, see [ArmedHash], and zero in every frame that leaves
	// before the digest is fixed.
	Armed [32]byte
	// From and To are roles. The transport has authenticated From; the guard compares it with the session.
	From, To Role
	// Type is the name of the message type, such as "sign3-theta".
	Type string
	// Seq counts the frames from From to To within the session, from 0, without gaps.
	Seq uint32
	// Body is the message of the protocol library. It may hold a secret meant for To: never log it.
	Body []byte
}

// MarshalBinary encodes the frame:
//
//	version(1)=2 session(32) armed(32) from(1) to(1) seq(4) type length(1) type body length(4) body
//
// with integers big endian. A frame outside the limits is an error.
func (f Frame) MarshalBinary() ([]byte, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	data := make([]byte, 0, frameHeadBytes+len(f.Type)+frameSizeBytes+len(f.Body))
	data = append(data, frameVersion)
	data = append(data, f.Session[:]...)
	data = append(data, f.Armed[:]...)
	data = append(data, byte(f.From), byte(f.To))
	data = binary.BigEndian.AppendUint32(data, f.Seq)
	data = append(data, byte(len(f.Type))) // #nosec G115 -- bounded by check
	data = append(data, f.Type...)
	data = binary.BigEndian.AppendUint32(data, uint32(len(f.Body))) //nolint:gosec // bounded by check
	return append(data, f.Body...), nil
}

// UnmarshalBinary decodes what MarshalBinary wrote and nothing else: one frame has one encoding, with no bytes
// after it. The body is a copy. On error f is unchanged.
func (f *Frame) UnmarshalBinary(data []byte) error {
	if len(data) > FrameBytesMax {
		return frameError("the frame is too long")
	}
	if len(data) < frameHeadBytes {
		return frameError("the frame is cut short")
	}
	if data[0] != frameVersion {
		return frameError("the frame has an unknown version")
	}
	var got Frame
	copy(got.Session[:], data[1:33])
	copy(got.Armed[:], data[33:65])
	got.From, got.To = Role(data[65]), Role(data[66])
	got.Seq = binary.BigEndian.Uint32(data[67:71])
	typeBytes := int(data[71])
	rest := data[frameHeadBytes:]
	if len(rest) < typeBytes+frameSizeBytes {
		return frameError("the frame is cut short")
	}
	got.Type = string(rest[:typeBytes])
	size := binary.BigEndian.Uint32(rest[typeBytes:])
	rest = rest[typeBytes+frameSizeBytes:]
	if uint64(len(rest)) != uint64(size) {
		return frameError("the frame's body does not have the stated length")
	}
	got.Body = bytes.Clone(rest)
	if err := got.check(); err != nil {
		return err
	}
	*f = got
	return nil
}

func (f Frame) check() error {
	if !f.From.Valid() || !f.To.Valid() || f.From == f.To {
		return frameError("the frame needs two different roles")
	}
	if f.Type == "" || len(f.Type) > frameTypeBytesMax {
		return frameError("the frame's type must have 1 to 32 bytes")
	}
	for _, c := range []byte(f.Type) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return frameError("the frame's type may hold a-z, 0-9 and - only")
		}
	}
	if len(f.Body) == 0 || len(f.Body) > FrameBodyBytesMax {
		return frameError("the frame's body is empty or too long")
	}
	return nil
}

func frameError(message string) error {
	return &abi.Error{Code: CodeFrameInvalid, Message: message, Fix: "update the peer or treat it as compromised", Retry: abi.RetryNever}
}

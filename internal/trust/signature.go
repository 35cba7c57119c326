package trust

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/purserhq/purser/abi"
)

const (
	signatureBytes     = algorithmBytes + keyIDBytes + 64
	commentSignedBytes = 64
	signatureLines     = 4
	trustedMark        = "trusted comment: "

	algorithmPrehashed = "ED"
	algorithmLegacy    = "Ed"
)

// Signature is a signature file that was read and not verified: all of it is a claim.
type Signature struct {
	file    []byte
	id      uint64
	comment string
}

// KeyID is the identifier that the signature gives for its key.
func (s Signature) KeyID() string { return formatID(s.id) }

// ParseSignature reads a signature file in its only spelling: four lines, no control characters but tabs. The error
// has code signature_invalid or signature_legacy.
func ParseSignature(file []byte) (Signature, error) {
	if len(file) > SignatureBytesMax {
		return Signature{}, badSignature(fmt.Sprintf("the file has more than %d bytes", SignatureBytesMax), nil)
	}
	if !utf8.Valid(file) {
		return Signature{}, badSignature("the file is not text", nil)
	}
	lines := strings.Split(strings.TrimSuffix(string(file), "\n"), "\n")
	if len(lines) != signatureLines {
		return Signature{}, badSignature(fmt.Sprintf("the file has %d lines, want %d", len(lines), signatureLines), nil)
	}
	for _, line := range lines {
		if strings.ContainsFunc(line, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }) {
			return Signature{}, badSignature("the file holds a control character", nil)
		}
	}
	comment, trusted := strings.CutPrefix(lines[2], trustedMark)
	if !strings.HasPrefix(lines[0], commentMark) || !trusted {
		return Signature{}, badSignature("a comment is missing", nil)
	}
	raw, err := decodeBase64(lines[1], signatureBytes)
	if err != nil {
		return Signature{}, badSignature("the signature is malformed", err)
	}
	if _, err := decodeBase64(lines[3], commentSignedBytes); err != nil {
		return Signature{}, badSignature("the comment's signature is malformed", err)
	}
	switch string(raw[:algorithmBytes]) {
	case algorithmPrehashed:
	case algorithmLegacy:
		return Signature{}, &abi.Error{
			Code: CodeSignatureLegacy, Message: "the signature is of minisign's legacy kind, over bytes that were not hashed",
			Fix: "sign again with `purser plugin sign`, or with minisign 0.10 or newer and without -l",
		}
	default:
		return Signature{}, badSignature("the algorithm is unknown", nil)
	}
	id := binary.LittleEndian.Uint64(raw[algorithmBytes : algorithmBytes+keyIDBytes])
	return Signature{file: append([]byte(nil), file...), id: id, comment: comment}, nil
}

func badSignature(problem string, cause error) error {
	return &abi.Error{Code: CodeSignatureInvalid, Message: problem, Cause: cause, Fix: "sign again with `purser plugin sign`"}
}

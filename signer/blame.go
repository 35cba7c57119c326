package signer

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/purserhq/purser/abi"
)

// Codes of sessions that the other side broke, beside CodeFrameInvalid.
const (
	// CodeMessageRefused: the guard refused a message. The authenticated peer is to blame.
	CodeMessageRefused = "mpc_message_refused"
	// CodeProtocolFailed: a proof or check inside the protocol failed. With honest software on both sides this
	// means that one of them is compromised; it cannot always be said which.
	CodeProtocolFailed = "mpc_protocol_failed"
	// CodeResultInvalid: the protocol finished with something that is no canonical signature of the digest under
	// the wallet's key. It was not released.
	CodeResultInvalid = "mpc_signature_invalid"
	// codeSignatureInvalid and codeArmedInvalid are the same said by this package, and a record with a wrong signature.
	codeSignatureInvalid, codeArmedInvalid = "signature_invalid", "armed_invalid"
	// CodeWalletCooling: too many sessions of the wallet were broken by the other side.
	CodeWalletCooling = "wallet_cooling"
)

const (
	// abortsInRowMax is how many sessions in a row the other side may break before the wallet's sessions are frozen.
	abortsInRowMax = 3
	// coolDownMin is the first freeze; each further one is twice as long, up to coolDownMax. A freeze that lies that long
	// back is forgotten.
	coolDownMin, coolDownMax = time.Minute, 24 * time.Hour
)

var blamed = []string{
	CodeFrameInvalid, CodeMessageRefused, CodeProtocolFailed, CodeResultInvalid, codeSignatureInvalid, codeArmedInvalid,
}

// Blamed reports whether an error of a session, or a cause of it, says that the other side broke the protocol. A peer that
// is silent or gone is not blamed: networks do that.
func Blamed(err error) bool {
	for err != nil {
		var e *abi.Error
		if !errors.As(err, &e) {
			return false
		}
		if slices.Contains(blamed, e.Code) {
			return true
		}
		err = e.Cause
	}
	return false
}

// Strikes freezes one wallet's sessions when the other side breaks several in a row. GG18 does not say who cheated, and
// each session that ends in a failed check may tell the cheat a little about our share: what bounds that is how many
// there are. The zero value is ready. Safe for concurrent use.
type Strikes struct {
	mu    sync.Mutex
	row   int
	times int
	until time.Time
}

// Refuse returns an error with code wallet_cooling while the wallet's sessions are frozen.
func (s *Strikes) Refuse(now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !now.Before(s.until) {
		return nil
	}
	return &abi.Error{
		Code: CodeWalletCooling, Retry: abi.RetryLater,
		Message: fmt.Sprintf("the other side broke %d sessions in a row; none is opened before %s", abortsInRowMax, s.until.UTC().Format(time.RFC3339)),
		Fix:     "find out what the other side runs; treat it as compromised until then",
	}
}

// Note counts how a session ended and reports whether this end freezes the wallet's sessions. A signature, which is a nil
// err, ends a row; an error that blames nobody leaves it as it is.
func (s *Strikes) Note(now time.Time, err error) (frozen bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.row = 0
		return false
	}
	if !Blamed(err) {
		return false
	}
	if s.row++; s.row < abortsInRowMax {
		return false
	}
	if now.Sub(s.until) > coolDownMax {
		s.times = 0
	}
	s.row, s.until = 0, now.Add(min(coolDownMin<<min(s.times, 20), coolDownMax))
	s.times++
	return true
}

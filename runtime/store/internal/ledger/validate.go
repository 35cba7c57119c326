package ledger

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// Bounds of one operation. They keep one caller's operation from costing its neighbours in a batch.
const (
	nameBytesMax      = 1024
	bodyBytesMax      = 1 << 20
	responseBytesMax  = 8 << 20
	reservationsMax   = 64
	limitsMax         = 64
	groupsMax         = 256
	enrolmentBytesMax = 16 << 10
)

// Check refuses what no ledger may take, before it is queued. The error has code record_invalid.
func Check(op Op) error {
	switch {
	case op.Insert != nil:
		return checkInsert(op.Insert)
	case op.Commit != nil:
		return checkChange(op.Commit)
	case op.Defer != nil:
		return checkDefer(op.Defer)
	default:
		return checkAgent(op.Agent)
	}
}

func invalid(format string, args ...any) error {
	return &abi.Error{Code: "record_invalid", Message: fmt.Sprintf(format, args...)}
}

// name checks a text that becomes a column. Postgres takes no zero byte and no bad UTF-8; SQLite would, and the
// two ledgers must not differ in what they hold.
func name(field, text string, required bool) error {
	switch {
	case text == "" && required:
		return invalid("%s is empty", field)
	case len(text) > nameBytesMax:
		return invalid("%s has %d bytes, want at most %d", field, len(text), nameBytesMax)
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return invalid("%s is not plain UTF-8 text", field)
	}
	return nil
}

type named struct {
	field, text string
	required    bool
}

func checkNames(list ...named) error {
	for _, n := range list {
		if err := name(n.field, n.text, n.required); err != nil {
			return err
		}
	}
	return nil
}

func checkBytes(body, response, digest []byte, due time.Time) error {
	switch {
	case len(body) > bodyBytesMax:
		return invalid("the body has %d bytes, want at most %d", len(body), bodyBytesMax)
	case len(response) > responseBytesMax:
		return invalid("the response has %d bytes, want at most %d", len(response), responseBytesMax)
	case len(digest) > nameBytesMax:
		return invalid("the digest has %d bytes, want at most %d", len(digest), nameBytesMax)
	case !due.IsZero() && (due.UnixMilli() <= 0 || due.Year() > 9999):
		return invalid("due is outside the years 1970 to 9999")
	}
	return nil
}

func checkEntry(entry store.Entry) error {
	if len(entry.Body) > bodyBytesMax {
		return invalid("the entry's body has %d bytes, want at most %d", len(entry.Body), bodyBytesMax)
	}
	return checkNames(named{"entry kind", entry.Kind, true}, named{"entry payment", entry.Payment, false})
}

func checkInsert(op *Insert) error {
	row := op.Row
	if err := checkNames(named{"tenant", row.Tenant, true}, named{"agent", row.Agent, true}, named{"id", row.ID, true},
		named{"key", row.Key, true}, named{"slot", row.Slot, false}, named{"state", row.State, true}); err != nil {
		return err
	}
	if err := checkBytes(row.Body, row.Response, row.Digest, row.Due); err != nil {
		return err
	}
	return checkEntry(op.Entry)
}

func checkChange(change *store.Change) error {
	if err := checkNames(named{"tenant", change.Tenant, true}, named{"id", change.ID, true},
		named{"state", change.State, true}, named{"slot", change.Slot, false}, named{"route", change.Seen.Route, false},
		named{"asset", change.Seen.Asset, false}, named{"payee", change.Seen.Payee, false}); err != nil {
		return err
	}
	if err := checkBytes(change.Body, change.Response, change.Digest, change.Due); err != nil {
		return err
	}
	if change.Close > store.Release {
		return invalid("closing %d is not known", change.Close)
	}
	if len(change.Reserve) > reservationsMax {
		return invalid("%d reservations, want at most %d", len(change.Reserve), reservationsMax)
	}
	meters := map[store.Meter]bool{}
	for _, reservation := range change.Reserve {
		if meters[reservation.Meter] {
			return invalid("meter %s is reserved twice in one change", reservation.Meter)
		}
		meters[reservation.Meter] = true
		if err := checkReservation(reservation); err != nil {
			return err
		}
	}
	return checkEntry(change.Entry)
}

func checkDefer(op *Defer) error {
	if err := checkNames(named{"tenant", op.Tenant, true}, named{"id", op.ID, true}); err != nil {
		return err
	}
	return checkBytes(nil, nil, nil, op.Due)
}

func checkReservation(reservation store.Reservation) error {
	if err := CheckMeter(reservation.Meter); err != nil {
		return err
	}
	if len(reservation.Limits) > limitsMax {
		return invalid("%d limits on %s, want at most %d", len(reservation.Limits), reservation.Meter, limitsMax)
	}
	return nil
}

// CheckMeter refuses a meter whose key would be ambiguous: with "#" in the unit, two meters could share a key.
func CheckMeter(meter store.Meter) error {
	if err := checkNames(named{"meter scope", meter.Scope, true}, named{"meter unit", meter.Unit, true}); err != nil {
		return err
	}
	if strings.Contains(meter.Unit, "#") {
		return invalid("the unit of meter %s holds a #", meter)
	}
	return nil
}

func checkAgent(op *PutAgent) error {
	agent := op.Agent
	if err := checkNames(named{"tenant", agent.Tenant, true}, named{"agent", agent.ID, true},
		named{"tier", agent.Tier, false}, named{"wallet", agent.Wallet, false}); err != nil {
		return err
	}
	if len(agent.Groups) > groupsMax {
		return invalid("%d groups, want at most %d", len(agent.Groups), groupsMax)
	}
	for _, group := range agent.Groups {
		if err := name("group", group, true); err != nil {
			return err
		}
	}
	if agent.TokenSHA256 == [32]byte{} {
		return invalid("the token's hash is empty")
	}
	if n := len(agent.PublicKey); n != 0 && n != 32 {
		return invalid("the public key has %d bytes, want 32", n)
	}
	if n := len(agent.Enrolment); n > enrolmentBytesMax {
		return invalid("the enrolment has %d bytes, want at most %d", n, enrolmentBytesMax)
	}
	return checkEntry(op.Entry)
}

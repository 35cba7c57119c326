package keystore

import (
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/purserhq/purser/signer"
)

// The schemes of a keyshare.
const (
	SchemeECDSA = "ecdsa-secp256k1"
	SchemeEdDSA = "eddsa-ed25519"
)

// kind says what a sealed secret is. The numbers are part of the file format.
type kind uint8

const (
	kindRoot  kind = 1
	kindShare kind = 2
	// kindPreParams is a set of pre-parameters for key generation, single use.
	kindPreParams kind = 3
	// kindIdentity is a host's signing key.
	kindIdentity kind = 4
)

const (
	nameBytesMax   = 64
	schemeBytesMax = 32
	storeBytesMax  = 128
)

// label is the place of a secret. It is associated data, and the file that carries it must lie where it says: a file
// copied over another wallet, epoch or role does not open.
type label struct {
	kind   kind
	role   signer.Role
	epoch  uint32
	wallet string
	scheme string
	name   string // of an identity, or pool and item
}

// valid holds for exactly the labels this package writes.
func (l label) valid() bool {
	if !l.role.Valid() {
		return false
	}
	switch l.kind {
	case kindRoot:
		return l == label{kind: kindRoot, role: l.role}
	case kindShare:
		return isName(l.wallet) && isScheme(l.scheme) && l.name == ""
	case kindPreParams:
		pool, item, found := strings.Cut(l.name, "/")
		return found && isName(pool) && isName(item) && isScheme(l.scheme) && l.wallet == "" && l.epoch == 0
	case kindIdentity:
		return isName(l.name) && l == label{kind: kindIdentity, role: l.role, name: l.name}
	default:
		return false
	}
}

// append encodes: kind(1) role(1) epoch(4) wallet(1+n) scheme(1+n) name(1+n).
func (l label) append(data []byte) []byte {
	data = append(data, byte(l.kind), byte(l.role))
	data = binary.BigEndian.AppendUint32(data, l.epoch)
	return appendText(appendText(appendText(data, l.wallet), l.scheme), l.name)
}

func readLabel(r *reader) label {
	l := label{kind: kind(r.u8()), role: signer.Role(r.u8()), epoch: r.u32()}
	l.wallet, l.scheme, l.name = r.text(nameBytesMax), r.text(schemeBytesMax), r.text(2*nameBytesMax+1)
	if !r.failed && !l.valid() {
		r.fail()
	}
	return l
}

func isScheme(s string) bool { return s == SchemeECDSA || s == SchemeEdDSA }

// isName holds for what may become part of a file name on every system: 1 to 64 of [a-z0-9_-], not starting with a
// dash. Upper case is out because two wallets would share one file where names ignore case.
func isName(s string) bool {
	if s == "" || len(s) > nameBytesMax || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c != '_' && c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// isMark holds for printable ASCII without spaces: store ids and claims.
func isMark(s string) bool {
	if s == "" || len(s) > storeBytesMax {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

const (
	sharesFolder     = "shares"
	statesFolder     = "states"
	poolsFolder      = "pools"
	identitiesFolder = "identities"

	shareSuffix    = ".share"
	stateSuffix    = ".state"
	itemSuffix     = ".item"
	identitySuffix = ".identity"
)

func sharePath(wallet string, epoch uint32) string {
	return sharesFolder + "/" + wallet + "." + strconv.FormatUint(uint64(epoch), 10) + shareSuffix
}

func statePath(wallet string) string { return statesFolder + "/" + wallet + stateSuffix }

// shareOf reads wallet and epoch from the name of a share file. Each has one spelling.
func shareOf(name string) (wallet string, epoch uint32, ok bool) {
	stem, suffixed := strings.CutSuffix(name, shareSuffix)
	wallet, number, dotted := strings.Cut(stem, ".")
	parsed, err := strconv.ParseUint(number, 10, 32)
	epoch = uint32(parsed) //nolint:gosec // parsed with 32 bits
	return wallet, epoch, err == nil && suffixed && dotted && isName(wallet) && sharePath(wallet, epoch) == sharesFolder+"/"+name
}

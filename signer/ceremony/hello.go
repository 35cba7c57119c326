package ceremony

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/keystore"
)

const (
	helloTitle = "purser ceremony 1"
	// helloBytesMax bounds a hello: 32 networks and 64 epochs fit.
	helloBytesMax = 8 << 10
	// epochsMax bounds each list of epochs.
	epochsMax  = 16
	nonceBytes = 32
	// unknown stands for what a seat does not know and takes from the others, none for what there is not.
	unknown, none = "?", "-"
)

// The fields of a hello, in their order. All seats must say the same in the first seven; whoever knows them must say the
// same in the next four; the rest is each seat's own.
const (
	fieldOperation = iota
	fieldWallet
	fieldLost
	fieldPooled
	fieldRuntimeKey
	fieldCoSignerKey
	fieldRecoveryKey
	fieldScheme
	fieldNetworks
	fieldChain
	fieldPublicKey
	fieldActive
	fieldRetiring
	fieldPending
	fieldInPool
	fieldNonce
	fields

	firstTerm, firstOwn = fieldScheme, fieldActive
)

var fieldNames = [fields]string{
	"operation", "wallet", "lost", "pooled", "runtime key", "co-signer key", "recovery key",
	"scheme", "networks", "chain code", "public key", "active", "retiring", "pending", "in the pool", "nonce",
}

// hello is what a seat says first: what it was asked for, what it knows and what it has. Its encoding is one line for
// each field, so that there is one for each hello, and a difference can be named by its line.
type hello [fields]string

func (h hello) encode() []byte {
	var text strings.Builder
	text.WriteString(helloTitle + "\n")
	for i, value := range h {
		text.WriteString(fieldNames[i] + ": " + value + "\n")
	}
	return []byte(text.String())
}

// decodeHello reads what encode wrote and nothing else.
func decodeHello(data []byte) (hello, bool) {
	var h hello
	if len(data) > helloBytesMax {
		return h, false
	}
	lines := strings.Split(string(data), "\n")
	if len(lines) != int(fields)+2 || lines[0] != helloTitle || lines[fields+1] != "" {
		return h, false
	}
	for i, line := range lines[1 : fields+1] {
		value, named := strings.CutPrefix(line, fieldNames[i]+": ")
		if !named || strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c > '~' }) {
			return hello{}, false
		}
		h[i] = value
	}
	return h, true
}

// newHello writes down our own side.
func newHello(plan Plan, keys map[signer.Role]ed25519.PublicKey, terms Terms, known bool, status Status, nonce []byte) hello {
	lost, wallet := none, plan.Wallet
	if plan.Lost != 0 {
		lost = plan.Lost.String()
	}
	if wallet == "" {
		wallet = none
	}
	h := hello{
		fieldOperation: string(plan.Operation), fieldWallet: wallet, fieldLost: lost, fieldPooled: yesNo(plan.Pooled),
		fieldRuntimeKey: hex.EncodeToString(keys[signer.RoleRuntime]), fieldCoSignerKey: hex.EncodeToString(keys[signer.RoleCoSigner]),
		fieldRecoveryKey: hex.EncodeToString(keys[signer.RoleRecovery]),
		fieldScheme:      unknown, fieldNetworks: unknown, fieldChain: unknown, fieldPublicKey: unknown,
		fieldActive: none, fieldRetiring: epochs(status.Retiring), fieldPending: epochs(status.Pending), fieldInPool: yesNo(status.Pooled),
		fieldNonce: hex.EncodeToString(nonce),
	}
	if status.Active != nil {
		h[fieldActive] = epochs([]uint32{*status.Active})
	}
	if known {
		h[fieldScheme], h[fieldNetworks] = terms.Scheme, networks(terms.Networks)
		if terms.Chain != "" {
			h[fieldChain] = terms.Chain
		}
		if len(terms.PublicKey) > 0 {
			h[fieldPublicKey] = hex.EncodeToString(terms.PublicKey)
		}
	}
	return h
}

// status reads the lists; false for what no honest seat writes.
func (h hello) status() (Status, bool) {
	active, ok1 := parseEpochs(h[fieldActive])
	retiring, ok2 := parseEpochs(h[fieldRetiring])
	pending, ok3 := parseEpochs(h[fieldPending])
	nonce, err := hex.DecodeString(h[fieldNonce])
	if !ok1 || !ok2 || !ok3 || len(active) > 1 || err != nil || len(nonce) != nonceBytes || (h[fieldInPool] != "yes" && h[fieldInPool] != "no") {
		return Status{}, false
	}
	status := Status{Retiring: retiring, Pending: pending, Pooled: h[fieldInPool] == "yes"}
	if len(active) == 1 {
		status.Active = &active[0]
	}
	return status, true
}

// terms reads what all agreed on.
func (h hello) terms() (Terms, error) {
	if h[fieldScheme] != keystore.SchemeECDSA && h[fieldScheme] != keystore.SchemeEdDSA {
		return Terms{}, differs(fieldNames[fieldScheme], "no seat knows the wallet's scheme")
	}
	terms := Terms{Scheme: h[fieldScheme], Chain: h[fieldChain]}
	if h[fieldPublicKey] != unknown {
		key, err := hex.DecodeString(h[fieldPublicKey])
		if err != nil || len(key) > 65 {
			return Terms{}, differs(fieldNames[fieldPublicKey], "%.140q is no public key", h[fieldPublicKey])
		}
		terms.PublicKey = key
	}
	if h[fieldNetworks] == none {
		return terms, nil
	}
	for name := range strings.SplitSeq(h[fieldNetworks], " ") {
		network, err := abi.ParseNetwork(name)
		if err != nil || len(terms.Networks) == networksMax {
			return Terms{}, differs(fieldNames[fieldNetworks], "%.80q is no list of networks", h[fieldNetworks])
		}
		terms.Networks = append(terms.Networks, network)
	}
	return terms, nil
}

// compare finds what two seats were told differently, and returns what all three together know.
func compare(all [3]hello) (hello, error) {
	agreed := all[0]
	for i := range firstOwn {
		for at, other := range all {
			if i >= firstTerm && other[i] == unknown {
				continue
			}
			if i >= firstTerm && agreed[i] == unknown {
				agreed[i] = other[i]
			}
			if other[i] != agreed[i] {
				return hello{}, differs(fieldNames[i], "the %s says %.140q, another seat %.140q", signer.Role(at+1), other[i], agreed[i])
			}
		}
	}
	for at, other := range all {
		for before := range at {
			if other[fieldNonce] == all[before][fieldNonce] {
				return hello{}, refused(signer.Role(at+1), "it repeats the nonce of the %s", signer.Role(before+1))
			}
		}
	}
	return agreed, nil
}

// vouched reports whether at least two seats say it: what a seat without knowledge takes over must not come from one.
func vouched(all [3]hello, field int) bool {
	count := 0
	for _, h := range all {
		if h[field] != unknown {
			count++
		}
	}
	return count >= 2
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func networks(list []abi.Network) string {
	if len(list) == 0 {
		return none
	}
	names := make([]string, len(list))
	for i, network := range list {
		names[i] = string(network)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func epochs(list []uint32) string {
	if len(list) == 0 {
		return none
	}
	sorted := slices.Sorted(slices.Values(list))
	return strings.Trim(fmt.Sprint(sorted), "[]")
}

// parseEpochs reads a list in ascending order that could be written in no other way.
func parseEpochs(text string) ([]uint32, bool) {
	if text == none {
		return nil, true
	}
	var list []uint32
	for word := range strings.SplitSeq(text, " ") {
		epoch, err := strconv.ParseUint(word, 10, 32)
		if err != nil || strconv.FormatUint(epoch, 10) != word || len(list) == epochsMax || (len(list) > 0 && list[len(list)-1] >= uint32(epoch)) {
			return nil, false
		}
		list = append(list, uint32(epoch))
	}
	return list, true
}

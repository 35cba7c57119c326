package ceremony

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/keystore"
)

// Operation is what the seats meet for.
type Operation string

// The operations.
const (
	OperationKeygen  Operation = "keygen"
	OperationRefresh Operation = "refresh"
	OperationRecover Operation = "recover"
	OperationResume  Operation = "resume"
)

// Plan is what the operator of a seat asked for. The seats compare their plans; a difference ends the ceremony.
type Plan struct {
	Operation Operation
	// Wallet is 1 to 64 of [a-z0-9_-], not starting with a dash. Empty only for a pooled key generation, whose wallets
	// are named after the ceremony.
	Wallet string
	// Lost is the role to recover; zero but for a recovery.
	Lost signer.Role
	// Pooled: the wallet of a key generation belongs to nobody yet.
	Pooled bool
	// Scheme, Networks and Derived are for a key generation: [keystore.SchemeECDSA] or [keystore.SchemeEdDSA]; the networks
	// that the wallet may sign for; whether agents have keys derived under it. The recovery seat may leave them out, and
	// takes what both signers say.
	Scheme   string
	Networks []abi.Network
	Derived  bool
}

const (
	// networksMax is the keystore's bound.
	networksMax = 32
	chainNone   = "none"
	// chainDerived stands for a chain code that is still to be made.
	chainDerived = "derived"
)

var walletPattern = regexp.MustCompile(`^[a-z0-9_][a-z0-9_-]{0,63}$`)

func (p Plan) check(self signer.Role) error {
	switch p.Operation {
	case OperationKeygen, OperationRefresh, OperationRecover, OperationResume:
	default:
		return inputError("operation", "%.40q is no ceremony", string(p.Operation))
	}
	keygen := p.Operation == OperationKeygen
	switch {
	case !walletPattern.MatchString(p.Wallet) && (!keygen || !p.Pooled || p.Wallet != ""):
		return inputError("wallet", "a wallet is named by 1 to 64 of [a-z0-9_-], not starting with a dash")
	case p.Pooled && p.Wallet != "":
		return inputError("wallet", "a pooled wallet is named by its ceremony")
	case (p.Operation == OperationRecover) != p.Lost.Valid() || (p.Lost != 0 && !p.Lost.Valid()):
		return inputError("lost", "a recovery names the role that has lost its share, and nothing else does")
	case !keygen && (p.Pooled || p.Scheme != "" || len(p.Networks) > 0 || p.Derived):
		return inputError("plan", "scheme, networks, derivation and pooling are decided when a wallet is made")
	case keygen && p.Scheme == "" && self != signer.RoleRecovery:
		return inputError("scheme", "a key generation needs a scheme")
	case len(p.Networks) > networksMax:
		return inputError("networks", "a wallet has at most %d networks", networksMax)
	case p.Derived && p.Scheme != keystore.SchemeECDSA:
		return inputError("derived", "only %s wallets have derived keys", keystore.SchemeECDSA)
	case p.Scheme != "" && p.Scheme != keystore.SchemeECDSA && p.Scheme != keystore.SchemeEdDSA:
		return inputError("scheme", "%.40q is neither %s nor %s", p.Scheme, keystore.SchemeECDSA, keystore.SchemeEdDSA)
	}
	for _, network := range p.Networks {
		if _, err := abi.ParseNetwork(string(network)); err != nil {
			return fmt.Errorf("networks: %w", err)
		}
	}
	return nil
}

// terms are what the plan fixes about a new wallet; false when it leaves that to the others.
func (p Plan) terms() (Terms, bool) {
	if p.Operation != OperationKeygen || p.Scheme == "" {
		return Terms{}, false
	}
	terms := Terms{Scheme: p.Scheme, Networks: slices.Sorted(slices.Values(p.Networks)), Chain: chainNone}
	if p.Derived {
		terms.Chain = chainDerived
	}
	return terms, true
}

// decider is the seat whose rename puts an epoch in force.
func decider(operation Operation, lost signer.Role) signer.Role {
	if operation == OperationRecover && lost == signer.RoleCoSigner {
		return signer.RoleRuntime
	}
	return signer.RoleCoSigner
}

//go:build !nodevchain

package devchain

import (
	"crypto/ecdsa"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
)

const (
	// baseFeeWei starts near what cheap layer-2 networks charge; the customary 1 gwei
	// would make every estimate come out a thousand times too high.
	baseFeeWei     = 5_000_000
	blockGasMax    = 60_000_000
	faucetUSDC     = 1_000_000_000_000_000_000 // a trillion dollars in smallest units
	faucetEther    = 1_000_000_000
	relayerEther   = 1_000
	faucetKeySeed  = "purser devchain faucet v1"
	relayerKeySeed = "purser devchain relayer v1"
)

//go:embed contracts/artifacts/testusdc.json
var tokenArtefact []byte

//go:embed contracts/artifacts/gaspriceoracle.json
var oracleArtefact []byte

// artefact is what contracts/build.mjs writes.
type artefact struct {
	Runtime hexutil.Bytes `json:"runtime"`
	Slots   map[string]struct {
		Slot   uint64 `json:"slot"`
		Offset uint64 `json:"offset"`
	} `json:"slots"`
}

func readArtefact(text []byte) (artefact, error) {
	var a artefact
	if err := json.Unmarshal(text, &a); err != nil {
		return artefact{}, fmt.Errorf("read contract artefact: %w", err)
	}
	if len(a.Runtime) == 0 {
		return artefact{}, fmt.Errorf("read contract artefact: no runtime code")
	}
	return a, nil
}

// slot returns the storage slot of a variable that starts at the slot's first byte.
func (a artefact) slot(name string) (common.Hash, error) {
	place, ok := a.Slots[name]
	if !ok || place.Offset != 0 {
		return common.Hash{}, fmt.Errorf("contract artefact has no whole slot for %q", name)
	}
	return common.BigToHash(new(big.Int).SetUint64(place.Slot)), nil
}

// key derives a published key. It is the same for everybody, on purpose.
func key(seed string) (*ecdsa.PrivateKey, error) {
	digest := sha256.Sum256([]byte(seed))
	k, err := crypto.ToECDSA(digest[:])
	if err != nil {
		return nil, fmt.Errorf("derive development key: %w", err)
	}
	return k, nil
}

// chainRules switches on Osaka and nothing after it. The library's own development
// rules include forks that are not scheduled anywhere and charge other gas.
func chainRules(chainID uint64) *params.ChainConfig {
	rules := *params.AllDevChainProtocolChanges
	rules.ChainID = new(big.Int).SetUint64(chainID)
	rules.AmsterdamTime, rules.BogotaTime = nil, nil
	return &rules
}

// genesis puts token, faucet, relayer and their funds into block 0, so that no
// deployment transactions are needed and the chain is usable at once.
func genesis(chainID, timeUnixS uint64, faucet, relayer common.Address) (*core.Genesis, error) {
	token, err := tokenAccount(faucet)
	if err != nil {
		return nil, err
	}
	oracle, err := readArtefact(oracleArtefact)
	if err != nil {
		return nil, err
	}
	alloc := maps.Clone(core.SystemContractAllocs())
	alloc[common.HexToAddress(TokenAddress)] = token
	alloc[common.HexToAddress(GasPriceOracleAddress)] = types.Account{Nonce: 1, Code: oracle.Runtime, Balance: new(big.Int)}
	alloc[faucet] = types.Account{Balance: ether(faucetEther)}
	alloc[relayer] = types.Account{Balance: ether(relayerEther)}
	return &core.Genesis{
		Config:    chainRules(chainID),
		Timestamp: timeUnixS,
		GasLimit:  blockGasMax,
		BaseFee:   big.NewInt(baseFeeWei),
		Alloc:     alloc,
	}, nil
}

// tokenAccount writes by hand the storage a constructor and a first mint would have left.
func tokenAccount(owner common.Address) (types.Account, error) {
	token, err := readArtefact(tokenArtefact)
	if err != nil {
		return types.Account{}, err
	}
	storage := map[common.Hash]common.Hash{}
	supply := common.BigToHash(new(big.Int).SetUint64(faucetUSDC))
	for name, value := range map[string]common.Hash{
		"owner":       common.BytesToHash(owner.Bytes()), // paused shares the slot and stays false
		"totalSupply": supply,
	} {
		slot, err := token.slot(name)
		if err != nil {
			return types.Account{}, err
		}
		storage[slot] = value
	}
	balances, err := token.slot("balanceAndBlacklist")
	if err != nil {
		return types.Account{}, err
	}
	// Solidity keeps mapping[key] at keccak256(key ‖ slot).
	storage[crypto.Keccak256Hash(common.LeftPadBytes(owner.Bytes(), 32), balances.Bytes())] = supply
	return types.Account{Nonce: 1, Code: token.Runtime, Storage: storage, Balance: new(big.Int)}, nil
}

func ether(n int64) *big.Int {
	return new(big.Int).Mul(big.NewInt(n), big.NewInt(params.Ether))
}

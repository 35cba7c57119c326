//go:build !nodevchain

// Package devchaintest drives the embedded chain in tests: payers with fresh keys
// who sign EIP-3009 messages, and raw calls. It refuses to be used outside tests:
// everything takes a testing.TB and keys are plain.
package devchaintest

import (
	"crypto/ecdsa"
	"crypto/rand"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/devchain"
)

// Domain is the EIP-712 domain of a token.
type Domain struct {
	Name, Version string
	ChainID       uint64
	// Contract is 0x and hex.
	Contract string
}

// TokenDomain is the domain of the chain's test USDC.
func TokenDomain(c *devchain.Chain) Domain {
	id, _ := c.Network().EIP155()
	return Domain{Name: "USDC", Version: "2", ChainID: id, Contract: devchain.TokenAddress}
}

// Authorization is the message of EIP-3009 TransferWithAuthorization.
type Authorization struct {
	From, To                string
	Value                   abi.Amount
	ValidAfter, ValidBefore uint64
	Nonce                   [32]byte
}

// Payer holds a fresh key.
type Payer struct {
	// Address is 0x and lower-case hex.
	Address string
	key     *ecdsa.PrivateKey
}

// NewPayer makes a payer nobody has seen before.
func NewPayer(t testing.TB) Payer {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatalf("generate payer key: %v", err)
	}
	return Payer{Address: lowerHex(crypto.PubkeyToAddress(key.PublicKey)), key: key}
}

// Funded makes a payer who holds tokens.
func Funded(t testing.TB, c *devchain.Chain, tokens uint64) Payer {
	t.Helper()
	p := NewPayer(t)
	if _, err := c.Fund(t.Context(), p.Address, abi.NewAmount(tokens), abi.Amount{}); err != nil {
		t.Fatalf("fund payer: %v", err)
	}
	return p
}

// Nonce draws an authorization nonce.
func Nonce(t testing.TB) [32]byte {
	t.Helper()
	var nonce [32]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		t.Fatalf("draw nonce: %v", err)
	}
	return nonce
}

// SignTransfer signs TransferWithAuthorization: r, s and v of 27 or 28.
func (p Payer) SignTransfer(t testing.TB, d Domain, a Authorization) []byte {
	t.Helper()
	return p.Sign(t, TransferDigest(d, a))
}

// SignCancel signs CancelAuthorization of the payer's own nonce.
func (p Payer) SignCancel(t testing.TB, d Domain, nonce [32]byte) []byte {
	t.Helper()
	return p.Sign(t, digest(d, crypto.Keccak256(
		crypto.Keccak256([]byte("CancelAuthorization(address authorizer,bytes32 nonce)")), addressWord(p.Address), nonce[:])))
}

// Sign signs any digest: r, s and v of 27 or 28.
func (p Payer) Sign(t testing.TB, digest []byte) []byte {
	t.Helper()
	signature, err := crypto.Sign(digest, p.key)
	if err != nil {
		t.Fatalf("sign: %v", err)
	}
	signature[64] += 27
	return signature
}

// TransferDigest is the EIP-712 digest of TransferWithAuthorization, computed here
// apart from product code so that tests compare two implementations.
func TransferDigest(d Domain, a Authorization) []byte {
	value := a.Value.Word()
	return digest(d, crypto.Keccak256(
		crypto.Keccak256([]byte("TransferWithAuthorization(address from,address to,uint256 value,"+
			"uint256 validAfter,uint256 validBefore,bytes32 nonce)")),
		addressWord(a.From), addressWord(a.To), value[:], numberWord(a.ValidAfter), numberWord(a.ValidBefore), a.Nonce[:]))
}

// HighS returns the malleated twin of a signature: valid by mathematics, refused by tokens.
func HighS(signature []byte) []byte {
	order := crypto.S256().Params().N
	twin := append([]byte(nil), signature...)
	new(big.Int).Sub(order, new(big.Int).SetBytes(signature[32:64])).FillBytes(twin[32:64])
	twin[64] = 27 + 28 - signature[64]
	return twin
}

func digest(d Domain, structHash []byte) []byte {
	separator := crypto.Keccak256(
		crypto.Keccak256([]byte("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")),
		crypto.Keccak256([]byte(d.Name)), crypto.Keccak256([]byte(d.Version)), numberWord(d.ChainID), addressWord(d.Contract))
	return crypto.Keccak256([]byte{0x19, 0x01}, separator, structHash)
}

func addressWord(address string) []byte {
	return common.LeftPadBytes(common.HexToAddress(address).Bytes(), 32)
}

func numberWord(n uint64) []byte { return common.LeftPadBytes(new(big.Int).SetUint64(n).Bytes(), 32) }

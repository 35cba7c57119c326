package facilitator

import (
	"bytes"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/purserhq/purser/settle/evm"
)

const (
	plainSignatureBytes = 65
	factoryMarkBytes    = 32
)

var (
	domainType   = crypto.Keccak256([]byte("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"))
	transferType = crypto.Keccak256([]byte("TransferWithAuthorization(address from,address to,uint256 value," +
		"uint256 validAfter,uint256 validBefore,bytes32 nonce)"))
	// factoryMark ends a signature wrapped for a wallet that is not deployed (ERC-6492).
	factoryMark = bytes.Repeat([]byte{0x64, 0x92}, factoryMarkBytes/2)
)

// digest is what the payer signed (EIP-712), under the domain the offer named.
func (o order) digest() []byte {
	separator := crypto.Keccak256(domainType, crypto.Keccak256([]byte(o.domainName)), crypto.Keccak256([]byte(o.domainVersion)),
		uintWord(o.chainID), addressWord(o.token.contract))
	value := o.value.Word()
	message := crypto.Keccak256(transferType, addressWord(o.payer), addressWord(o.payee), value[:],
		uintWord(o.validAfter), uintWord(o.validBefore), o.nonce[:])
	return crypto.Keccak256([]byte{0x19, 0x01}, separator, message)
}

// signedByPayer reports whether the signature is a plain account's: 65 bytes, v 27
// or 28, low s, recovering to the payer. Recovery itself would also take v 0 or 1 and
// high s, which the token then refuses at our expense.
func (o order) signedByPayer() bool {
	s := o.signature
	if len(s) != plainSignatureBytes || s[64] != 27 && s[64] != 28 {
		return false
	}
	v := s[64] - 27
	if !crypto.ValidateSignatureValues(v, new(big.Int).SetBytes(s[:32]), new(big.Int).SetBytes(s[32:64]), true) {
		return false
	}
	public, err := crypto.SigToPub(o.digest(), append(bytes.Clone(s[:64]), v))
	return err == nil && evm.Address(crypto.PubkeyToAddress(*public)) == o.payer
}

func (o order) wrappedForFactory() bool {
	return len(o.signature) > factoryMarkBytes && bytes.HasSuffix(o.signature, factoryMark)
}

func addressWord(a evm.Address) []byte { return common.LeftPadBytes(a[:], 32) }

func uintWord(n uint64) []byte { return common.LeftPadBytes(new(big.Int).SetUint64(n).Bytes(), 32) }

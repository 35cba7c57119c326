//go:build !nodevchain

package devchaintest

import (
	"context"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/purserhq/purser/settle/devchain"
)

const (
	gasMax    = 1_000_000
	feeCapWei = 1_000_000_000_000
	waitMax   = 30 * time.Second
	waitDelay = 10 * time.Millisecond
)

// Start opens a chain that the test closes.
func Start(t testing.TB, cfg devchain.Config) *devchain.Chain {
	t.Helper()
	c, err := devchain.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("open devchain: %v", err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close devchain: %v", err)
		}
	})
	return c
}

// Client dials the chain's HTTP endpoint.
func Client(t testing.TB, c *devchain.Chain) *ethclient.Client {
	t.Helper()
	client, err := ethclient.DialContext(t.Context(), c.RPCURL())
	if err != nil {
		t.Fatalf("dial devchain: %v", err)
	}
	t.Cleanup(client.Close)
	return client
}

// Send signs and sends a transaction of the account to a contract (or deploys, when
// to is "") and returns its receipt, reverted or not.
func Send(t testing.TB, c *devchain.Chain, from devchain.Account, to string, data []byte) *types.Receipt {
	t.Helper()
	client := Client(t, c)
	key, err := crypto.HexToECDSA(strings.TrimPrefix(from.PrivateKeyHex, "0x"))
	if err != nil {
		t.Fatalf("read key: %v", err)
	}
	nonce, err := client.PendingNonceAt(t.Context(), common.HexToAddress(from.Address))
	if err != nil {
		t.Fatalf("read nonce: %v", err)
	}
	id, _ := c.Network().EIP155()
	chainID := new(big.Int).SetUint64(id)
	body := &types.DynamicFeeTx{
		ChainID: chainID, Nonce: nonce, Data: data, Gas: gasMax,
		GasFeeCap: big.NewInt(feeCapWei), GasTipCap: big.NewInt(1),
	}
	if to != "" {
		address := common.HexToAddress(to)
		body.To = &address
	}
	tx, err := types.SignNewTx(key, types.LatestSignerForChainID(chainID), body)
	if err != nil {
		t.Fatalf("sign transaction: %v", err)
	}
	if err := client.SendTransaction(t.Context(), tx); err != nil {
		t.Fatalf("send transaction: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), waitMax)
	defer cancel()
	for {
		receipt, err := client.TransactionReceipt(ctx, tx.Hash())
		if err == nil {
			return receipt
		}
		select {
		case <-ctx.Done():
			t.Fatalf("no receipt for %s: %v", tx.Hash(), err)
		case <-time.After(waitDelay):
		}
	}
}

// Call runs eth_call on the token as nobody and returns the answer, or the revert text.
func Call(t testing.TB, c *devchain.Chain, data []byte) (answer []byte, revert string) {
	t.Helper()
	token := common.HexToAddress(devchain.TokenAddress)
	answer, err := Client(t, c).CallContract(t.Context(), ethereum.CallMsg{To: &token, Data: data}, nil)
	if err != nil {
		return nil, err.Error()
	}
	return answer, ""
}

// Balance reads a token balance in smallest units.
func Balance(t testing.TB, c *devchain.Chain, address string) uint64 {
	t.Helper()
	answer, revert := Call(t, c, Data("balanceOf(address)", addressWord(address)))
	if revert != "" {
		t.Fatalf("read balance: %s", revert)
	}
	return new(big.Int).SetBytes(answer).Uint64()
}

// Data is the call data of a function whose arguments are all static words.
func Data(signature string, words ...[]byte) []byte {
	data := append([]byte(nil), crypto.Keccak256([]byte(signature))[:4]...)
	for _, w := range words {
		data = append(data, w...)
	}
	return data
}

// TransferData is the call data of transferWithAuthorization with v, r and s.
func TransferData(a Authorization, signature []byte) []byte {
	value := a.Value.Word()
	return Data("transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)",
		addressWord(a.From), addressWord(a.To), value[:], numberWord(a.ValidAfter), numberWord(a.ValidBefore), a.Nonce[:],
		numberWord(uint64(signature[64])), signature[:32], signature[32:64])
}

// TransferBytesData is the call data of the form that takes the signature as bytes.
func TransferBytesData(a Authorization, signature []byte) []byte {
	value := a.Value.Word()
	padded := append([]byte(nil), signature...)
	for len(padded)%32 != 0 {
		padded = append(padded, 0)
	}
	return Data("transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)",
		addressWord(a.From), addressWord(a.To), value[:], numberWord(a.ValidAfter), numberWord(a.ValidBefore), a.Nonce[:],
		numberWord(7*32), numberWord(uint64(len(signature))), padded)
}

// CancelData is the call data of cancelAuthorization with v, r and s.
func CancelData(payer string, nonce [32]byte, signature []byte) []byte {
	return Data("cancelAuthorization(address,bytes32,uint8,bytes32,bytes32)",
		addressWord(payer), nonce[:], numberWord(uint64(signature[64])), signature[:32], signature[32:64])
}

// Word is an address as a 32-byte argument.
func Word(address string) []byte { return addressWord(address) }

func lowerHex(a common.Address) string { return strings.ToLower(a.Hex()) }

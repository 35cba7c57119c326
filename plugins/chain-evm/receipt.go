package main

import (
	"github.com/purserhq/purser/sdk/go/abi"
)

// transactionReceipt is what a receipt says of one authorization.
type transactionReceipt struct {
	hash        string
	block       uint64
	blockTimeS  uint64 // 0: the node does not say
	gasUsed     uint64
	fee         abi.Amount
	succeeded   bool
	used        bool // holds this authorization's AuthorizationUsed
	canceled    bool // holds this authorization's AuthorizationCanceled
	transferred abi.Amount
}

// receipt reads the host's receipt; found is false when there is none or the transaction is still pending.
func (a answers) receipt(t token, auth authorization) (r transactionReceipt, found bool, rejection *abi.Rejection) {
	answer, given := a.find(receiptID)
	if !given || answer.Error != "" {
		return r, false, nil
	}
	root, ok := parseJSON(answer.Result)
	if ok && root.kind == jsonNull {
		return r, false, nil
	}
	status, statusOK := quantity(root.member("status"))
	block, blockOK := quantity(root.member("blockNumber"))
	gasUsed, gasOK := quantity(root.member("gasUsed"))
	_, hashOK := parseWord(root.member("transactionHash").text())
	logs := root.member("logs")
	if !ok || !statusOK || status > 1 || !blockOK || !gasOK || !hashOK || logs.kind != jsonArray {
		return r, false, answerInvalid(receiptID)
	}
	r = transactionReceipt{hash: root.member("transactionHash").text(), block: block, gasUsed: gasUsed, succeeded: status == 1}
	if r.fee, ok = feeOf(root, gasUsed); !ok || !r.readLogs(logs.children(), t, auth) {
		return r, false, answerInvalid(receiptID)
	}
	return r, true, nil
}

// feeOf adds what was paid for gas and, on an OP-stack network, for data on the first layer. The operator fee of
// those networks is not in a receipt; it is left out.
func feeOf(root jsonValue, gasUsed uint64) (abi.Amount, bool) {
	price, ok := bigQuantity(root.member("effectiveGasPrice"))
	if !ok {
		return abi.Amount{}, false
	}
	fee, fits := price.MulSmall(gasUsed)
	if layerOne := root.member("l1Fee"); layerOne.kind != jsonAbsent && layerOne.kind != jsonNull {
		extra, ok := bigQuantity(layerOne)
		sum, sumFits := fee.Add(extra)
		return sum, fits && ok && sumFits
	}
	return fee, fits
}

// readLogs looks for this authorization's events from this token only. A batch may hold several payments, so the
// transfer is the log that directly follows the authorization's own: the token writes the two together.
func (r *transactionReceipt) readLogs(logs []jsonValue, t token, auth authorization) bool {
	afterUsed := false
	for _, log := range logs {
		emitter, ok := parseAddress(log.member("address").text())
		topics := log.member("topics").children()
		if !ok || log.member("removed").kind == jsonTrue {
			return false
		}
		if timeS, given := quantity(log.member("blockTimestamp")); given {
			r.blockTimeS = timeS
		}
		ours := emitter == t.contract && r.succeeded
		if ours && afterUsed && hasTopics(topics, topicTransfer, wordOf(auth.from), wordOf(auth.to)) {
			amount, fits := bigWord(log.member("data"))
			if !fits {
				return false
			}
			r.transferred = amount
		}
		afterUsed = ours && hasTopics(topics, topicUsed, wordOf(auth.from), auth.nonce)
		r.used = r.used || afterUsed
		r.canceled = r.canceled || ours && hasTopics(topics, topicCanceled, wordOf(auth.from), auth.nonce)
	}
	return true
}

func wordOf(a address) (word [wordBytes]byte) {
	copy(word[wordBytes-len(a):], a[:])
	return word
}

func hasTopics(topics []jsonValue, want ...[wordBytes]byte) bool {
	if len(topics) != len(want) {
		return false
	}
	for i, topic := range topics {
		if got, ok := parseWord(topic.text()); !ok || got != want[i] {
			return false
		}
	}
	return true
}

// quantity reads a JSON-RPC quantity of at most 2^53-1: "0x1a", without leading zeros.
func quantity(v jsonValue) (uint64, bool) {
	amount, ok := bigQuantity(v)
	n, fits := amount.Uint64()
	return n, ok && fits && n <= secondsMax
}

func bigQuantity(v jsonValue) (abi.Amount, bool) {
	text := v.text()
	if len(text) < 3 || len(text) > 2+2*wordBytes || text[:2] != "0x" || text[2] == '0' && len(text) > 3 {
		return abi.Amount{}, false
	}
	padded := "0x" + text[2:]
	if len(text)%2 == 1 {
		padded = "0x0" + text[2:]
	}
	return amountOfHex(padded)
}

func bigWord(v jsonValue) (abi.Amount, bool) {
	if len(v.text()) != 2+2*wordBytes {
		return abi.Amount{}, false
	}
	return amountOfHex(v.text())
}

func amountOfHex(text string) (abi.Amount, bool) {
	data, ok := parseHex(text)
	for len(data) > 0 && data[0] == 0 {
		data = data[1:]
	}
	amount, err := abi.AmountFromBytes(data)
	return amount, ok && err == nil
}

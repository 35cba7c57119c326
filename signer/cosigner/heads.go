package cosigner

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/runtime/peer"
	"github.com/purserhq/purser/runtime/policy/rules"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/signer"
)

// newPeer makes the memory of the runtime's ledger.
func newPeer(config Config) *peer.Memory {
	return peer.New(peer.Config{
		Store: config.Store, Tenant: config.Tenant, Peer: "runtime", Pinned: config.RuntimeStore, Read: readPromise,
		Open: []string{armed, spent}, Log: config.Log,
	})
}

// readPromise finds promises and spends in this side's log. A promise that was answered may have been lost on its way; one
// that came back signed by the runtime, and so was spent, is in the runtime's ledger.
func readPromise(kind string, body []byte) (peer.Seen, bool, error) {
	var entry struct {
		Armed *abi.Armed `json:"armed"`
		Head  string     `json:"head"`
	}
	if kind != "cosigner.armed" && kind != "cosigner.spent" {
		return peer.Seen{}, false, nil
	}
	if err := json.Unmarshal(body, &entry); err != nil {
		return peer.Seen{}, false, fmt.Errorf("read promise: %w", err)
	}
	if entry.Armed != nil {
		theirs, err := signer.ReadHead(entry.Armed.RuntimeHead)
		return peer.Seen{Store: entry.Armed.RuntimeStore, Head: theirs.Position}, err == nil, nil //nolint:nilerr // made before heads told what they witnessed: it says nothing
	}
	named, err := hex.DecodeString(entry.Head)
	if err != nil {
		return peer.Seen{}, false, fmt.Errorf("read spend: %w", err)
	}
	ours, err := signer.ReadHead(named)
	return peer.Seen{Bound: ours.Position}, err == nil, nil //nolint:nilerr // as above
}

// spendDetail is what the log says of a spend: the digest, and our head in the promise that the runtime showed us.
func spendDetail(row store.Row, r record) map[string]any {
	return map[string]any{"digest": hex.EncodeToString(row.Digest), "head": hex.EncodeToString(r.Armed.CosignerHead)}
}

// known is the floor under every head that the runtime names after the answer to come. A stop is rule's to tell.
func (c *CoSigner) known(ctx context.Context) (peer.Floor, error) {
	floor, err := c.peer.Floor(ctx)
	if peer.Stopped(err) {
		err = nil
	}
	return floor, err
}

// checkPeer compares the runtime's ledger, as the request names it, with what was known when it was consulted. A ledger
// that is not what it was is refused, and so is everything after it.
func (c *CoSigner) checkPeer(ctx context.Context, j *judge.Judge, claim claimed, row store.Row, request *abi.ArmRequest) error {
	r, err := readRecord(row)
	if err != nil {
		return err
	}
	facts, err := c.config.Store.Facts(ctx, store.FactQuery{Tenant: c.config.Tenant})
	if err != nil {
		return err
	}
	err = c.peer.Check(ctx, row.ID, r.Floor, request.RuntimeStore, request.RuntimeHead, facts.Position)
	if !peer.Stopped(err) {
		return err
	}
	ruling := refusal(j, "ledgers", err)
	if _, err := c.note(ctx, claim, ruling); err != nil {
		return err
	}
	return &signer.Refused{Decision: &ruling.Decision}
}

// peerStopped refuses to go on with a promise while the runtime's ledger is not what it was.
func (c *CoSigner) peerStopped(ctx context.Context) error {
	_, err := c.peer.Floor(ctx)
	return err
}

// AcceptPeerStore is the word of this side's operator that the runtime's ledger is id and has come to head, and ends a
// stop. It fails with code peer_unreconciled while the chain has not decided every promise. The runtime has no way to it.
func (c *CoSigner) AcceptPeerStore(ctx context.Context, id string, head uint64) error {
	return c.peer.Accept(ctx, id, head)
}

// hindered denies while nothing can be signed: the runtime's ledger is not what it was, or the clock is wrong.
func (c *CoSigner) hindered(ctx context.Context, j *judge.Judge, claim claimed) (judge.Ruling, bool, error) {
	if err := c.peerStopped(ctx); err != nil {
		if peer.Stopped(err) {
			return refusal(j, "ledgers", err), true, nil
		}
		return judge.Ruling{}, false, err
	}
	err := c.clocks.check(ctx, abi.Network(claim.intent.Network))
	if abi.CodeOf(err) == CodeClockSkew {
		return refusal(j, "clock", err), true, nil
	}
	return judge.Ruling{}, false, err
}

// refusal is a denial of the host in the place of the rules.
func refusal(j *judge.Judge, rule string, cause error) judge.Ruling {
	hash := j.Bundle().Hash()
	return judge.Ruling{Decision: abi.Decision{
		Outcome: abi.Deny, PolicySHA256: hash[:], Side: judge.CoSigner,
		Verdicts: []abi.Verdict{{Source: rules.SourceRules, Outcome: abi.Deny, Reasons: []abi.Reason{{Code: abi.CodeOf(cause), Rule: rule, Text: cause.Error()}}}},
	}}
}

package ceremony

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/purserhq/purser/internal/preimage"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/keystore"
	"github.com/purserhq/purser/signer/mpc"
)

// settle ends what an earlier ceremony left, by the states that all three have signed.
func (r *run) settle(ctx context.Context) error {
	var err error
	if r.verdict, err = settle(r.states); err != nil || !r.verdict.work {
		return err
	}
	r.config.Step(StepSettle)
	v, self := r.verdict, r.config.Self.Index()
	// The one who decides could lie about its epoch. What all three can sign with is safe to put in force, whoever said so.
	if slices.Contains(v.activate[:], true) && v.everywhere {
		if err := r.proveStored(ctx, v.epoch); err != nil {
			return err
		}
	}
	if v.activate[self] {
		if err := r.config.Shares.Activate(r.wallet, v.epoch, v.pooled); err != nil {
			return err
		}
		r.replaced()
	}
	for _, epoch := range v.destroy[self] {
		if err := r.config.Shares.Destroy(r.wallet, epoch); err != nil {
			return err
		}
	}
	if err := r.confirm(ctx, messageSettled, r.statement("settled", v.epoch, nil)); err != nil {
		return err
	}
	if !v.everywhere {
		return nil
	}
	return r.retire()
}

// replaced moves what Activate left behind in our own picture of our state.
func (r *run) replaced() {
	state := &r.states[r.config.Self.Index()]
	if state.Active != nil {
		state.Retiring = append(state.Retiring, *state.Active)
	}
	epoch := r.verdict.epoch
	state.Active = &epoch
}

// retire destroys what the epoch in force replaced here.
func (r *run) retire() error {
	state := &r.states[r.config.Self.Index()]
	for _, epoch := range state.Retiring {
		if err := r.config.Shares.Destroy(r.wallet, epoch); err != nil {
			return err
		}
	}
	state.Retiring = nil
	return nil
}

// ready decides, after settling, whether there is anything left to do, and refuses what cannot be done.
func (r *run) ready() (done bool, err error) {
	v := r.verdict
	missing := v.without()
	switch {
	case r.plan.Operation == OperationKeygen:
		if v.inForce && !v.everywhere {
			return false, impossible("recover it: purser ceremony recover --lost ROLE", "the wallet %s exists, and the %s has no share of it", r.wallet, missing)
		}
		return v.inForce, nil
	case r.plan.Operation == OperationResume:
		if !v.inForce {
			return true, impossible("run purser ceremony keygen again at every seat", "no key generation of the wallet %s came to its end; what it left was removed", r.wallet)
		}
		if !v.everywhere {
			return true, impossible("recover it: purser ceremony recover --lost ROLE", "epoch %d holds, and the %s has no share of it", v.epoch, missing)
		}
		return true, nil
	case !v.inForce:
		return false, impossible("name a wallet that these seats have", "no seat has the wallet %s in force", r.wallet)
	case r.plan.Operation == OperationRefresh && !v.everywhere:
		return false, impossible("recover it first: purser ceremony recover --lost ROLE", "the %s has no share of epoch %d", missing, v.epoch)
	case r.plan.Operation == OperationRefresh:
		return false, nil
	case v.everywhere && v.activate[r.plan.Lost.Index()]:
		return true, nil // an earlier recovery that had got to its commit
	case v.has[r.plan.Lost.Index()]:
		return false, impossible("refresh it, if somebody may have copied a share", "the %s has its share of the wallet %s", r.plan.Lost, r.wallet)
	}
	for i, has := range v.has {
		if role := signer.Role(i + 1); !has && role != r.plan.Lost {
			return false, impossible("two of three shares are needed", "the %s has no share of epoch %d either", role, v.epoch)
		}
	}
	return false, nil
}

// finished describes the wallet that is in force here, by our own record.
func (r *run) finished(ctx context.Context) (Result, error) {
	terms, known, err := r.config.Shares.Terms(ctx, r.wallet)
	if err != nil {
		return Result{}, err
	}
	if !known {
		terms = r.terms
	}
	result := Result{Wallet: r.wallet, Scheme: terms.Scheme, PublicKey: terms.PublicKey, Epoch: r.verdict.epoch, Finished: true}
	if terms.Scheme == keystore.SchemeECDSA {
		result.Address, err = preimage.EVMAddress(terms.PublicKey)
	}
	return result, err
}

// renew makes new shares and puts them in force.
func (r *run) renew(ctx context.Context) (Result, error) {
	share, err := r.makeShare(ctx)
	if err != nil {
		return Result{}, err
	}
	defer share.Blob.Wipe()
	result := Result{Wallet: r.wallet, Scheme: share.Scheme, PublicKey: share.Public.PublicKey, Address: share.Public.Address, Epoch: share.Epoch}
	r.config.Step(StepStore)
	if err := r.config.Shares.Put(ctx, share); err != nil {
		return Result{}, err
	}
	// The keyshares count only when all three have stored one of the same key.
	if err := r.confirm(ctx, messageStored, r.statement("stored", share.Epoch, share.Public.PublicKey)); err != nil {
		return Result{}, err
	}
	if err := r.prove(ctx, share); err != nil {
		return Result{}, err
	}
	if err := r.confirm(ctx, messageProven, r.statement("proven", share.Epoch, share.Public.PublicKey)); err != nil {
		return Result{}, err
	}
	if err := r.commit(ctx, share); err != nil {
		return result, err
	}
	return result, nil
}

func (r *run) makeShare(ctx context.Context) (keystore.Share, error) {
	r.config.Step(StepShare)
	ctx, cancel := context.WithTimeout(ctx, r.config.Limits.Protocol)
	defer cancel()
	run, err := protocolsOf(r.terms.Scheme, r.config.Engine, r.links, r.config.PreParams)
	if err != nil {
		return keystore.Share{}, err
	}
	var old keystore.Share
	if r.verdict.inForce && slices.Contains(r.hands(), r.config.Self) {
		if old, err = r.config.Shares.Load(ctx, r.wallet, r.verdict.epoch); err != nil {
			return keystore.Share{}, err
		}
		defer old.Blob.Wipe()
	}
	chain, err := r.chainCode(ctx, old.ChainCode)
	if err != nil {
		return keystore.Share{}, err
	}
	var got made
	if r.verdict.inForce {
		session := mpc.ReshareSession{
			ID: r.session, Wallet: r.wallet, From: r.verdict.epoch, To: r.verdict.next, Old: r.hands(), PublicKey: r.terms.PublicKey, Self: r.config.Self,
		}
		got, err = run.reshare(ctx, session, old.Blob)
	} else {
		got, err = run.keygen(ctx, mpc.KeygenSession{ID: r.session, Wallet: r.wallet, Epoch: r.verdict.next, Self: r.config.Self})
	}
	if err != nil {
		return keystore.Share{}, err
	}
	return keystore.Share{
		Wallet: r.wallet, Epoch: r.verdict.next, Role: r.config.Self, Scheme: r.terms.Scheme, Blob: got.blob, ChainCode: chain,
		Public: keystore.Record{PublicKey: got.publicKey, Address: got.address, Networks: r.terms.Networks, Created: r.config.Now().UTC()},
	}, nil
}

// hands are the roles that hand their shares on. In a refresh that is the two signers alone, so that the key which opens
// the recovery share can stay where it is kept.
func (r *run) hands() []signer.Role {
	switch r.plan.Lost {
	case signer.RoleRuntime:
		return []signer.Role{signer.RoleCoSigner, signer.RoleRecovery}
	case signer.RoleCoSigner:
		return []signer.Role{signer.RoleRuntime, signer.RoleRecovery}
	case signer.RoleRecovery: // as when nobody is lost
	}
	return []signer.Role{signer.RoleRuntime, signer.RoleCoSigner}
}

// prove has every pair sign with the new shares, ours as it was stored, if this seat can read it.
func (r *run) prove(ctx context.Context, share keystore.Share) error {
	r.config.Step(StepProve)
	stored, err := r.config.Shares.Load(ctx, share.Wallet, share.Epoch)
	switch {
	case errors.Is(err, ErrSealedAway):
		return r.proveWith(ctx, share.Epoch, share.Public.PublicKey, share.Blob)
	case err != nil:
		return err
	}
	defer stored.Blob.Wipe()
	return r.proveWith(ctx, stored.Epoch, stored.Public.PublicKey, stored.Blob)
}

// proveStored proves an epoch that an earlier ceremony stored.
func (r *run) proveStored(ctx context.Context, epoch uint32) error {
	share, err := r.config.Shares.Load(ctx, r.wallet, epoch)
	if err != nil {
		return err
	}
	defer share.Blob.Wipe()
	r.terms.Scheme = share.Scheme
	return r.proveWith(ctx, epoch, share.Public.PublicKey, share.Blob)
}

func (r *run) proveWith(ctx context.Context, epoch uint32, publicKey []byte, blob keystore.Secret) error {
	ctx, cancel := context.WithTimeout(ctx, r.config.Limits.Protocol)
	defer cancel()
	run, err := protocolsOf(r.terms.Scheme, r.config.Engine, r.links, r.config.PreParams)
	if err != nil {
		return err
	}
	test := mpc.EpochTest{ID: r.statement("epoch-test", epoch, publicKey), Wallet: r.wallet, Epoch: epoch, PublicKey: publicKey, Self: r.config.Self}
	return run.prove(ctx, test, blob)
}

// commit puts the proven epoch in force: first the decider's rename, which is what counts, then the others'. Old shares
// are destroyed when all three have said that it is in force: a decider that tells only one of the two others cannot make
// it destroy the share that the other one still needs.
func (r *run) commit(ctx context.Context, share keystore.Share) error {
	r.config.Step(StepCommit)
	decides := decider(r.plan.Operation, r.plan.Lost)
	statement := r.statement("committed", share.Epoch, share.Public.PublicKey)
	if err := r.retire(); err != nil { // of the epoch before the one that ends now, after a recovery from two shares
		return err
	}
	if r.config.Self != decides {
		body, err := r.hear(ctx, decides, messageCommitted, len(statement))
		if err != nil {
			return undecided(err)
		}
		if string(body) != string(statement[:]) {
			return undecided(refused(decides, "it commits to something else"))
		}
	}
	if err := r.config.Shares.Activate(share.Wallet, share.Epoch, r.pooled()); err != nil {
		return undecided(err)
	}
	r.verdict.epoch = share.Epoch
	r.replaced()
	if r.config.Self == decides {
		var failed error
		for _, other := range r.others {
			failed = errors.Join(failed, r.tell(ctx, other, messageCommitted, statement[:]))
		}
		if failed != nil {
			return unsettled(failed)
		}
	}
	r.config.Step(StepConfirm)
	if err := r.confirm(ctx, messageInForce, r.statement("in-force", share.Epoch, share.Public.PublicKey)); err != nil {
		return unsettled(err)
	}
	if err := r.retire(); err != nil {
		return unsettled(err)
	}
	return nil
}

func (r *run) pooled() bool {
	if r.plan.Operation == OperationKeygen {
		return r.plan.Pooled
	}
	return r.verdict.pooled
}

// statement hashes what seats tell each other to have reached.
func (r *run) statement(what string, epoch uint32, publicKey []byte) [32]byte {
	data := append([]byte("purser.ceremony.statement.v1|"+what+"|"), r.session[:]...)
	data = binary.BigEndian.AppendUint32(data, epoch)
	return sha256.Sum256(append(data, publicKey...))
}

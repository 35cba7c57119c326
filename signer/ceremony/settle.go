package ceremony

import (
	"slices"

	"github.com/purserhq/purser/signer"
)

// epochsAheadMax bounds how far above the epoch in force a seat may claim to have a pending one: interrupted ceremonies
// leave a few. Without it one seat could use up all numbers.
const epochsAheadMax = 1000

// verdict is what three states of one wallet mean, and what each seat has to do about it. All three seats compute it from
// the same three states, which all three have signed.
type verdict struct {
	// epoch is in force, if any is.
	inForce bool
	epoch   uint32
	// pooled: the wallet in force belongs to nobody.
	pooled bool
	// has tells who has the epoch in force once activate is done, by Role.Index.
	has [3]bool
	// activate tells who puts its pending share of it in force, destroy which pending shares are given up.
	activate [3]bool
	destroy  [3][]uint32
	// everywhere: all three have the epoch, so the shares it replaced can go.
	everywhere bool
	// work: somebody has something to do.
	work bool
	// next is above every epoch that any seat has ever shown here. A pending share that nobody destroyed, at a host that
	// was away, can so never be taken for a later one.
	next uint32
}

// without is the first role that has no share, or no role.
func (v verdict) without() signer.Role {
	for _, role := range [...]signer.Role{signer.RoleRuntime, signer.RoleCoSigner, signer.RoleRecovery} {
		if !v.has[role.Index()] {
			return role
		}
	}
	return 0
}

// settle decides what an interrupted ceremony left.
//
// The epoch in force is the one of the decider: the co-signer's, unless it has none, which only its own loss explains;
// then the runtime's. Whatever is pending elsewhere under that number was stored and proven before the decider's rename,
// so it is put in force; every other pending share is given up.
func settle(all [3]Status) (verdict, error) {
	var v verdict
	if err := v.number(all); err != nil {
		return v, err
	}
	for i, status := range all {
		role := signer.Role(i + 1)
		switch {
		case !v.inForce: // a first key generation that never got to its commit
		case status.has(v.epoch):
			v.has[i] = true
		case status.Active != nil && *status.Active > v.epoch:
			return v, inconsistent("the %s has epoch %d in force, the seat that decides has epoch %d", role, *status.Active, v.epoch)
		case slices.Contains(status.Pending, v.epoch):
			v.has[i], v.activate[i] = true, true
		case status.Active != nil:
			return v, inconsistent("the %s has epoch %d in force and nothing of epoch %d: recover it with an empty folder", role, *status.Active, v.epoch)
		}
		for _, pending := range status.Pending {
			if !v.activate[i] || pending != v.epoch {
				v.destroy[i] = append(v.destroy[i], pending)
			}
		}
	}
	v.everywhere = v.has == [3]bool{true, true, true}
	for i, status := range all {
		if v.activate[i] || len(v.destroy[i]) > 0 || (v.everywhere && len(status.Retiring) > 0) {
			v.work = true
		}
	}
	return v, nil
}

// number finds the epoch in force and the next one.
func (v *verdict) number(all [3]Status) error {
	for _, role := range []signer.Role{signer.RoleCoSigner, signer.RoleRuntime} {
		if status := all[role.Index()]; !v.inForce && status.Active != nil {
			v.inForce, v.epoch, v.pooled = true, *status.Active, status.Pooled
		}
	}
	for i, status := range all {
		if status.Active != nil && !v.inForce {
			return inconsistent("the %s has the wallet and neither of the two signers does", signer.Role(i+1))
		}
	}
	seen := false
	for i, status := range all {
		for _, epoch := range status.all() {
			if uint64(epoch) > uint64(v.epoch)+epochsAheadMax {
				return inconsistent("the %s has a share of epoch %d, far above epoch %d", signer.Role(i+1), epoch, v.epoch)
			}
			v.next, seen = max(v.next, epoch), true
		}
	}
	if seen {
		if v.next == ^uint32(0) {
			return inconsistent("there is no epoch after %d", v.next)
		}
		v.next++
	}
	return nil
}

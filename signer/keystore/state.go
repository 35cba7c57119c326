package keystore

import (
	"crypto/subtle"
	"encoding/binary"
	"fmt"
)

// Phase says what is left to do after a change of epochs. The numbers are part of the file format.
type Phase uint8

const (
	// PhaseSettled: one epoch is active and no older one is left.
	PhaseSettled Phase = 1
	// PhaseSuperseding: the new epoch is active, the previous one must still be destroyed.
	PhaseSuperseding Phase = 2
)

const (
	stateMagic    = "purser wallet state\n"
	stateVersion  = 1
	stateBytesMax = len(stateMagic) + 1 + 1 + nameBytesMax + 4 + 4 + 1 + 1 + 1 + storeBytesMax + 8 + macBytes
)

// State is one wallet's: which epoch may sign, and whose it is.
type State struct {
	Wallet string
	// Epoch is the active one. It never goes back.
	Epoch uint32
	// Previous is the epoch that Epoch replaced; only in [PhaseSuperseding].
	Previous uint32
	Phase    Phase
	// Pooled: the wallet is finished and belongs to nobody yet.
	Pooled bool
	// Claim is what the wallet was taken from the pool for; empty when it never was in one.
	Claim string
	// Changes counts changes of this state from 1. A ledger that remembers it notices a folder put back to an
	// earlier day.
	Changes uint64
}

func (s State) valid() bool {
	superseding := s.Phase == PhaseSuperseding && s.Previous < s.Epoch
	settled := s.Phase == PhaseSettled && s.Previous == 0
	claim := s.Claim == "" || isMark(s.Claim) && !s.Pooled
	return isName(s.Wallet) && (superseding || settled) && claim && s.Changes > 0
}

// encode: magic(20) version(1)=1 wallet(1+n) epoch(4) previous(4) phase(1) pooled(1) claim(1+n) changes(8); a file has
// a mac(32) behind it.
func (s State) encode() []byte {
	data := appendText(append([]byte(stateMagic), stateVersion), s.Wallet)
	data = binary.BigEndian.AppendUint32(data, s.Epoch)
	data = binary.BigEndian.AppendUint32(data, s.Previous)
	pooled := byte(0)
	if s.Pooled {
		pooled = 1
	}
	data = appendText(append(data, byte(s.Phase), pooled), s.Claim)
	return binary.BigEndian.AppendUint64(data, s.Changes)
}

func decodeState(data []byte) (State, bool) {
	r := reader{rest: data}
	r.expect(stateMagic + string(rune(stateVersion)))
	s := State{Wallet: r.text(nameBytesMax), Epoch: r.u32(), Previous: r.u32(), Phase: Phase(r.u8())}
	pooled := r.u8()
	s.Pooled, s.Claim, s.Changes = pooled == 1, r.text(storeBytesMax), r.u64()
	return s, r.done() && pooled <= 1 && s.valid()
}

func (k *Keystore) decodeState(file []byte) (State, bool) {
	body := file[:max(len(file)-macBytes, 0)]
	if subtle.ConstantTimeCompare(k.sealer.mac(body), file[len(body):]) != 1 {
		return State{}, false
	}
	return decodeState(body)
}

// save makes the state durable before anybody sees it. Called under the lock.
func (k *Keystore) save(state State) error {
	state.Changes++
	if !state.valid() {
		return fmt.Errorf("wallet %s: refused to write the state %+v", state.Wallet, state)
	}
	data := state.encode()
	if err := k.replace(statesFolder, statePath(state.Wallet), append(data, k.sealer.mac(data)...)); err != nil {
		return fmt.Errorf("save state of wallet %s: %w", state.Wallet, err)
	}
	k.remember(state)
	return nil
}

func (k *Keystore) remember(state State) {
	k.states[state.Wallet] = state
	if state.Claim != "" {
		k.claims[state.Claim] = state.Wallet
	}
}

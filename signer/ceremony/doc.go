// Package ceremony makes, renews and recovers the keyshares of a wallet at three hosts, and refuses to let any of them,
// or a network between them, end with shares that do not work together or with two epochs in force.
//
// Each role sits at one [Seat] in a process of its own, while its service is stopped. The seats agree on one description
// of what is to happen, run the protocol, store what it made inactive, prove with the three test signatures that every
// pair signs, and only then put it in force:
//
//	agree → settle → pre-parameters → generate or reshare → store inactive → prove → commit → confirm → destroy the old
//
// The commit is one rename at one seat, the decider: the co-signer, or the runtime when it is the co-signer that is being
// recovered. Everybody else follows it. A seat that was interrupted learns from the decider's epoch what holds, which
// every ceremony looks at first and which is all that [Seat.Resume] does.
//
// No old share is destroyed before all three seats have said that they have the new one in force, and nothing is
// destroyed on the word of one seat: the states of all three are part of the description that all three sign. So one
// host that lies can stop a ceremony, and cannot make the others end with shares of different epochs and nothing else.
package ceremony

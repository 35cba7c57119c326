package mpc

import "github.com/purserhq/purser/signer"

// The engine speaks in the signer's words.
type (
	// Role is the place of a party in a wallet.
	Role = signer.Role
	// Session names one run of a protocol between two parties.
	Session = signer.Session
	// Frame is one message between two parties.
	Frame = signer.Frame
	// Transport carries the frames of one session.
	Transport = signer.Transport
	// Signature is the result of a signing session.
	Signature = signer.Signature
)

// The three roles.
const (
	Runtime  = signer.RoleRuntime
	CoSigner = signer.RoleCoSigner
	Recovery = signer.RoleRecovery
)

// partyCount and partyThreshold fix the scheme: any two of three parties sign, one alone learns nothing.
const (
	partyCount     = 3
	partyThreshold = 1
)

var everyRole = [partyCount]Role{Runtime, CoSigner, Recovery}

package signer

// Role is the place of a party in a two-of-three wallet. The numbers are part of the wire and file formats.
type Role uint8

const (
	// RoleRuntime is party 1, beside the agent.
	RoleRuntime Role = 1
	// RoleCoSigner is party 2, which decides for itself before it signs.
	RoleCoSigner Role = 2
	// RoleRecovery is party 3, kept offline.
	RoleRecovery Role = 3
)

// String names the role as the documents do. A value that is no role prints as "invalid".
func (r Role) String() string {
	switch r {
	case RoleRuntime:
		return "runtime"
	case RoleCoSigner:
		return "co-signer"
	case RoleRecovery:
		return "recovery"
	default:
		return "invalid"
	}
}

// Valid reports whether r is one of the three roles.
func (r Role) Valid() bool { return r >= RoleRuntime && r <= RoleRecovery }

// Index is the place of the role in arrays ordered by role. Only for valid roles.
func (r Role) Index() int { return int(r) - 1 }

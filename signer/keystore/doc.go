// Package keystore keeps one role's keyshares, unassigned wallets and other secrets sealed in one folder. It refuses to
// read what others on the machine may read, what was altered or moved, what belongs to another role or another ledger,
// and to make an older epoch active again; it never looks into the secrets it keeps.
//
// # Layout
//
//	keystore.head                     role, store id, name of the key wrapper, the wrapped root key
//	shares/<wallet>.<epoch>.share     one sealed keyshare with its public record in the clear
//	states/<wallet>.state             which epoch is active, authenticated
//	pools/<pool>/<item>.item          sealed, unassigned secrets, each handed out once
//	identities/<name>.identity        sealed host keys
//
// Every secret has its own random 32-byte key for XChaCha20-Poly1305; that key is wrapped by a [KeyWrapper]. The
// associated data is the place of the secret: format, kind, role, scheme, wallet, epoch, name, public record and the id
// of the store it belongs to. The root key decrypts nothing: it authenticates whole files, so that a listing needs
// neither the passphrase's derivation nor a call to a key service for each of them.
//
// # Limits, said plainly
//
// A folder put back as a whole to an earlier day is authentic: only the ledger beside it, which remembers the epoch and
// [State.Changes] of each wallet, can tell. The same holds for a single older state file, and for a pool's item put back
// after it was taken, once the keystore is opened again; an open keystore believes neither.
//
// Wiping is best effort. What this package allocates for keys and plaintext is overwritten after use, but Go may have
// copied a buffer while a stack grew, the kernel may have swapped or dumped it, and the protocol library copies big
// integers as it likes. Hosts should disable core dumps and swap, and restart the co-signer daily. Overwriting a file
// before it is unlinked reaches the same blocks on few of today's disks: see [Keystore.Destroy].
//
// One process uses a folder at a time. The caller holds that lock.
package keystore

// Package pki is the local certificate authority of one installation: it makes the authority, issues one certificate
// for each role, and keeps a process's certificate and trust current while it runs. It refuses to trust anything but
// its own authorities: a certificate that a public authority signed means nothing here, and one of another role
// neither.
//
// Three kinds of files, all of mode 600, each written whole or not at all:
//
//   - the authority (certificate and key) stays where `purser init` ran, offline, and is on no host that serves;
//   - an identity (certificate and key in one file, so that nobody can meet half of a pair) is on one host only;
//   - the trust (certificates of one authority, or of several while they change) is on every host.
//
// Rotating an identity: issue another one under the same authority and replace the file. Running processes pick it up;
// sessions under way finish.
//
// Rotating the authority, or after a key was stolen, since there are no revocation lists: make a new authority; write
// a trust file with both certificates to every host; replace the identities by ones of the new authority; write the
// trust file with the new certificate alone. From then on a certificate of the old authority is refused, on open
// connections too.
package pki

package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
)

// operatorTokenBytesMin is shorter than any token made here: an empty file must not become a credential.
const operatorTokenBytesMin = 32

// operatorToken reads the operator's token from the data folder, or makes one, whole or not at all.
func (s *stack) operatorToken() (string, error) {
	path := tokenPath(s.config.data, operatorName)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	if err := writeOnce(path, []byte("purser_operator_"+rand.Text()+"\n")); err != nil {
		return "", err
	}
	text, err := readSecret(path)
	if err == nil && len(text) < operatorTokenBytesMin {
		err = &abi.Error{Code: "token_invalid", Where: path, Message: "the file holds no operator token", Fix: "remove it: the next start makes a new one"}
	}
	return text, err
}

// readSecret reads a file that only its owner may read.
func readSecret(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", &abi.Error{Code: "file_exposed", Where: path, Message: "others may read this secret", Fix: "chmod 600 it, and replace the secret if somebody may have read it"}
	}
	text, err := os.ReadFile(path)
	return strings.TrimSpace(string(text)), err
}

// identify reads the Ed25519 keys of the roles that this process plays from the data folder, or makes them. Two
// processes that start at once end with one key: the file that is there first wins.
func (s *stack) identify() error {
	folder := filepath.Join(s.config.data, "identity")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	s.identities = map[string]signer.Identity{}
	for _, role := range roles {
		if !s.plays(role) {
			continue
		}
		key, err := identity(filepath.Join(folder, role+".key"))
		if err != nil {
			return err
		}
		s.identities[role] = key
	}
	return nil
}

// public is a role's public key: its own here, or the one that the configuration pins.
func (s *stack) public(role string) ed25519.PublicKey {
	if key, here := s.identities[role]; here {
		return key.Public()
	}
	return s.config.peerKey
}

func identity(path string) (signer.Identity, error) {
	made, err := signer.NewIdentity(rand.Reader)
	if err != nil {
		return made, err
	}
	if err := writeOnce(path, []byte(hex.EncodeToString(made.Seed())+"\n")); err != nil {
		return made, err
	}
	text, err := readSecret(path)
	if err != nil {
		return made, err
	}
	seed, err := hex.DecodeString(text)
	if err != nil {
		return made, &abi.Error{Code: "key_invalid", Where: path, Message: "the file holds no identity"}
	}
	return signer.IdentityFromSeed(seed)
}

// writeOnce creates a file whole or leaves the one that is there: a reader never sees half of it.
func writeOnce(path string, content []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }() // gone already when it was linked
	if _, err := temporary.Write(content); err != nil {
		return errors.Join(err, temporary.Close())
	}
	if err := errors.Join(temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	if err := os.Link(temporary.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

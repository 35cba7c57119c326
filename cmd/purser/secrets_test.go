package main

import (
	"os"
	"testing"

	"github.com/purserhq/purser/abi"
)

func TestTheOperatorsTokenIsWholeAndPrivateOrThereIsNone(t *testing.T) {
	s := &stack{config: stackConfig{data: t.TempDir()}}
	first, err := s.operatorToken()
	if err != nil || len(first) < operatorTokenBytesMin {
		t.Fatalf("%d characters, %v", len(first), err)
	}
	if again, err := s.operatorToken(); err != nil || again != first {
		t.Errorf("a second start has another token (%v)", err)
	}
	path := tokenPath(s.config.data, operatorName)
	// A file cut short by a full disk must not make the empty token the operator's.
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if token, err := s.operatorToken(); abi.CodeOf(err) != "token_invalid" {
		t.Errorf("%q, %v", token, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.operatorToken(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.operatorToken(); abi.CodeOf(err) != "file_exposed" {
		t.Errorf("a token that others may read: %v", err)
	}
}

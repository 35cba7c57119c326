//go:build unix

package main

import (
	"testing"

	"github.com/purserhq/purser/abi"
)

func TestADataFolderIsOneProcesss(t *testing.T) {
	data := t.TempDir()
	release, err := lockFolder(data)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockFolder(data); abi.CodeOf(err) != "data_in_use" {
		t.Errorf("a second process got the folder: %v", err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	release, err = lockFolder(data)
	if err != nil {
		t.Fatalf("the folder is free again: %v", err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
}

package main

import (
	"os"
	"strings"
	"testing"
)

func TestTheReadmeShowsThisPolicy(t *testing.T) {
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../../../sdk/go/README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "```go\n"+string(source)+"```\n") {
		t.Error("README.md shows other code than main.go")
	}
}

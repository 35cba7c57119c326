package main

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/api"
)

// TestTheOperatorClearsWhatTheListNames goes by the printed words alone: an operator has no other.
func TestTheOperatorClearsWhatTheListNames(t *testing.T) {
	v := newVersions(t, "a_2", "b_2")
	s := openTestStack(t, v.config)
	agents, _ := s.clients(t, 3)
	server := httptest.NewServer(s.gateway)
	t.Cleanup(server.Close)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(s.operator), 0o600); err != nil {
		t.Fatal(err)
	}
	command := func(line string) (string, error) {
		var printed bytes.Buffer
		root := rootCommand(&console{out: &printed, err: &printed})
		root.SetArgs(append(strings.Fields(line)[1:], "--server", server.URL, "--token-file", token))
		err := root.ExecuteContext(t.Context())
		return printed.String(), err
	}
	keys := 0
	trap := func(agent, times int) {
		t.Helper()
		for range times {
			keys++
			if _, err := agents[agent].Pay(t.Context(), api.PayParams{Key: fmt.Sprintf("clearing-%04d", keys), URL: v.world.merchantURL + "/cheap", Purpose: "trap"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	must := func(line, says string) {
		t.Helper()
		if text, err := command(line); err != nil || !strings.Contains(text, says) {
			t.Errorf("%s: %v, %q lacks %q", line, err, text, says)
		}
	}
	const list, clearAll = "purser plugin quarantine list", "purser plugin quarantine clear test/versions"

	trap(0, 3)
	must(list, "  clear it: "+clearAll+" --agent agent-00\n")
	if _, err := command(clearAll + " --agent agent-01"); abi.CodeOf(err) != "not_found" {
		t.Errorf("another agent's quarantine was cleared: %v", err)
	}
	must(clearAll, `test/versions is called again for the agent "agent-00"`)
	if text, err := command(list); err != nil || text != "" {
		t.Errorf("%v, left: %q", err, text)
	}

	for agent := range agents {
		trap(agent, 1)
	}
	must(list, "test/versions for everybody since ")
	if _, err := command(clearAll + " --agent agent-00"); abi.CodeOf(err) != "not_found" || !strings.Contains(err.Error(), "for everybody") {
		t.Errorf("one agent of everybody: %v", err)
	}
	must(clearAll, "test/versions is called again for everybody")
	if _, err := command(clearAll); abi.CodeOf(err) != "not_found" {
		t.Errorf("cleared twice: %v", err)
	}
}

package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime"
	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/runtime/client"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/mpc/demowallet"
)

// spill collects everything that this process says while payments run. Safe for concurrent use.
type spill struct {
	mu   sync.Mutex
	said bytes.Buffer
}

func (s *spill) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said.Write(p)
}

func (s *spill) add(values ...any) {
	for _, value := range values {
		_, _ = fmt.Fprintf(s, "%v %+v %#v\n", value, value, value) // a buffer takes everything
	}
}

func (s *spill) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said.String()
}

// spellings are the ways a secret may have been written down: its text or bytes, hex, decimal, and base64 at any offset.
func spellings(secret []byte) []string {
	all := []string{string(secret), hex.EncodeToString(secret), strings.ToUpper(hex.EncodeToString(secret)), fmt.Sprintf("%d", secret), new(big.Int).SetBytes(secret).String()}
	for offset := range 3 { // base64 depends on where in its group of three a byte stands: the first and last groups are cut
		padded := append(make([]byte, offset), secret...)
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			text := encoding.EncodeToString(padded)
			all = append(all, text[4:len(text)-4])
		}
	}
	return all
}

// secretsOf reads every secret of a data folder, and the wallet's shares.
func secretsOf(t testing.TB, w *testWorld, data, agentToken, operatorToken string) map[string][]byte {
	t.Helper()
	found := map[string][]byte{"the agent's token": []byte(agentToken), "the operator's token": []byte(operatorToken), "the approver's key": w.approverKey(t).Seed()}
	for _, name := range []string{"runtime.key", "cosigner.key"} {
		text, err := os.ReadFile(filepath.Join(data, "identity", name)) // #nosec G304 -- a test's own file
		if err != nil {
			t.Fatal(err)
		}
		if found[name], err = hex.DecodeString(strings.TrimSpace(string(text))); err != nil {
			t.Fatal(err)
		}
	}
	for _, role := range []signer.Role{signer.RoleRuntime, signer.RoleCoSigner} {
		share, err := demowallet.Share(role)
		if err != nil {
			t.Fatal(err)
		}
		encoded, err := share.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		// Everything else in a share is public: its own part of the key and its two Paillier primes stand at the end.
		for name, part := range map[string][]byte{"key share": encoded[len(encoded)-288 : len(encoded)-256], "first prime": encoded[len(encoded)-256 : len(encoded)-128], "second prime": encoded[len(encoded)-128:]} {
			found[name+" of the "+role.String()] = part
		}
	}
	return found
}

func TestNoSecretIsWrittenDownAnywhere(t *testing.T) {
	key, err := demoKeys()
	if err != nil {
		t.Fatal(err)
	}
	said := &spill{}
	world := newWorld(t, []paidRoute{{"/paid", abi.NewAmount(10_000), demoReport}, {"/held", abi.NewAmount(600_000), demoReport}})
	path := world.testPolicy(t, oneDollarADay+"\n    require_human_approval_above: \"0.5\"")
	config := world.stackFor(t.TempDir(), path, key)
	config.log = slog.New(slog.NewTextHandler(said, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := openTestStack(t, config)
	agent, operator := s.agentClient(t, "shopper")
	server := httptest.NewServer(s.gateway)
	defer server.Close()
	again, err := s.runtime.RotateAgent(t.Context(), "shopper")
	if err != nil {
		t.Fatal(err)
	}
	token := again.Reveal()
	said.add(again, client.Token(token), key, s.config.keys)
	if _, err := agent.Pay(t.Context(), api.PayParams{Key: "canary-00001", URL: world.merchantURL + "/paid"}); abi.CodeOf(err) != "unauthorized" {
		t.Errorf("the old token: %v", err)
	}
	agent = clientOf(t, server.URL, token)
	for _, path := range []string{"/paid", "/held", "/nothing"} {
		view, err := agent.Pay(t.Context(), api.PayParams{Key: "canary-00002" + path[1:], URL: world.merchantURL + path})
		encoded, jsonErr := json.Marshal(view)
		said.add(view, err, string(encoded), jsonErr)
		if view.State == string(runtime.Held) {
			statement, err := operator.Statement(t.Context(), view.ID, approverName, true)
			said.add(statement, err)
		}
	}
	_, err = agent.Agents(t.Context()) // forbidden
	said.add(err)
	stop := errors.New("stop")
	said.add(operator.Stream(t.Context(), 0, func(event api.Event) error {
		encoded, err := json.Marshal(event)
		said.add(string(encoded), event, err)
		if event.Kind == "payment.held" {
			return stop
		}
		return nil
	}))
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	secrets := secretsOf(t, world, config.data, token, s.operator)
	text := said.text()
	if !strings.Contains(text, "[redacted]") {
		t.Error("nothing was redacted: the canary sees nothing")
	}
	for name, secret := range secrets {
		for _, spelling := range spellings(secret) {
			if at := strings.Index(text, spelling); at >= 0 {
				t.Errorf("%s was said: …%.200q", name, text[max(0, at-100):at])
			}
		}
	}
	searchFolder(t, config.data, secrets)
}

// searchFolder looks into every file of the data folder but those that keep tokens and identities.
func searchFolder(t testing.TB, folder string, secrets map[string][]byte) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		kept := filepath.Base(filepath.Dir(path))
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("others may read %s: %s", path, info.Mode())
		}
		if kept == "tokens" || kept == "identity" {
			return nil
		}
		content, err := os.ReadFile(path) // #nosec G304,G122 -- a test's own file
		if err != nil {
			return err
		}
		files++
		for name, secret := range secrets {
			for _, spelling := range spellings(secret) {
				if bytes.Contains(content, []byte(spelling)) {
					t.Errorf("%s is in %s", name, path)
				}
			}
		}
		return nil
	})
	if err != nil || files < 2 {
		t.Errorf("%d files, %v", files, err)
	}
}

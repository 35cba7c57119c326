package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/audit"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/postgres"
)

// ledgerView is one side's ledger as a stranger finds it: raw log records and raw rows.
type ledgerView struct {
	id      string
	records []store.Record
	rows    map[string]ledgerRow
}

// ledgerRow is a row without what no invariant needs.
type ledgerRow struct {
	agent, key, state string
	digest, body      []byte
}

// isPayment tells payments from what else is kept among the rows: operators' orders, merchants, the other side's ledger.
func isPayment(id string) bool { return strings.HasPrefix(id, "pay_") }

// readSQLite reads a ledger's file with SQL of its own, so that no fault in the store's reader can hide one in its writer.
func readSQLite(t testing.TB, path string) ledgerView {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	view := ledgerView{rows: map[string]ledgerRow{}}
	if err := db.QueryRowContext(t.Context(), `SELECT id FROM ledger`).Scan(&view.id); err != nil {
		t.Fatal(err)
	}
	each(t, db, `SELECT position, entry, hash FROM log ORDER BY position`, func(scan func(...any) error) error {
		var record store.Record
		var hash []byte
		err := scan(&record.Position, &record.Entry, &hash)
		copy(record.Hash[:], hash)
		view.records = append(view.records, record)
		return err
	})
	each(t, db, `SELECT id, agent, key, state, digest, body FROM payments`, func(scan func(...any) error) error {
		var id string
		var row ledgerRow
		err := scan(&id, &row.agent, &row.key, &row.state, &row.digest, &row.body)
		if isPayment(id) {
			view.rows[id] = row
		}
		return err
	})
	return view
}

func each(t testing.TB, db *sql.DB, query string, read func(scan func(...any) error) error) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }() // rows.Err has the fault
	for rows.Next() {
		if err := read(rows.Scan); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// readPostgres reads a ledger through a connection of its own.
func readPostgres(t testing.TB, dsn, schema string) ledgerView {
	t.Helper()
	ledger, err := postgres.Open(t.Context(), postgres.Config{DSN: dsn, Schema: schema})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := ledger.Close(); err != nil {
			t.Error(err)
		}
	}()
	view := ledgerView{id: ledger.ID(), rows: map[string]ledgerRow{}}
	for record, err := range audit.Records(t.Context(), ledger, defaultTenant) {
		if err != nil {
			t.Fatal(err)
		}
		view.records = append(view.records, record)
	}
	query := store.RowQuery{Tenant: defaultTenant, Max: store.RowsMax}
	for {
		rows, err := ledger.Rows(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			if isPayment(row.ID) {
				view.rows[row.ID] = ledgerRow{agent: row.Agent, key: row.Key, state: row.State, digest: row.Digest, body: row.Body}
			}
			query.After = row.ID
		}
		if len(rows) < store.RowsMax {
			return view
		}
	}
}

// moved is one transfer by authorization, as the token's own events tell it.
type moved struct {
	tx     string
	nonce  [32]byte
	payee  string
	amount abi.Amount
}

// Topics of the token's events: keccak256 of Transfer(address,address,uint256) and AuthorizationUsed(address,bytes32).
const (
	transferTopic = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
	usedTopic     = "0x98de503528ee59b575ef0c0a2576a82497bfc029a5685b209e9ec333479b10a5"
)

// readTransfers asks the chain, in plain JSON-RPC, for everything that ever left the payer's account.
func readTransfers(t testing.TB, rpcURL, token, payer string) []moved {
	t.Helper()
	payerWord := "0x" + fmt.Sprintf("%024d", 0) + payer[2:]
	// Both events are read up to one block: other payments go on meanwhile.
	var head string
	chainCall(t, rpcURL, &head, "eth_blockNumber")
	nonces := map[string][32]byte{}
	for _, l := range chainLogs(t, rpcURL, head, token, usedTopic, payerWord) {
		if _, twice := nonces[l.TxHash]; twice {
			t.Errorf("transaction %s used two authorizations", l.TxHash)
		}
		nonces[l.TxHash] = word(t, l.Topics[2])
	}
	var all []moved
	for _, l := range chainLogs(t, rpcURL, head, token, transferTopic, payerWord) {
		nonce, ok := nonces[l.TxHash]
		if !ok {
			t.Errorf("transaction %s moved money without an authorization of its own", l.TxHash)
		}
		delete(nonces, l.TxHash)
		all = append(all, moved{tx: l.TxHash, nonce: nonce, payee: "0x" + l.Topics[2][26:], amount: abi.AmountFromWord(word(t, l.Data))})
	}
	for tx := range nonces {
		t.Errorf("transaction %s used an authorization and moved nothing", tx)
	}
	return all
}

type chainLog struct {
	TxHash string   `json:"transactionHash"`
	Topics []string `json:"topics"`
	Data   string   `json:"data"`
}

func chainLogs(t testing.TB, rpcURL, head, token, topic, payer string) (logs []chainLog) {
	t.Helper()
	chainCall(t, rpcURL, &logs, "eth_getLogs", map[string]any{"address": token, "fromBlock": "0x0", "toBlock": head, "topics": []any{topic, payer}})
	return logs
}

// balanceOf is the token's own balanceOf(account) at the newest block.
func balanceOf(t testing.TB, rpcURL, token, account string) abi.Amount {
	t.Helper()
	var answer string
	chainCall(t, rpcURL, &answer, "eth_call", map[string]any{"to": token, "data": "0x70a08231" + fmt.Sprintf("%024d", 0) + account[2:]}, "latest")
	return abi.AmountFromWord(word(t, answer))
}

func chainCall(t testing.TB, rpcURL string, result any, method string, params ...any) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, rpcURL, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // read to its end
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	answer := struct {
		Result any             `json:"result"`
		Error  json.RawMessage `json:"error"`
	}{Result: result}
	if err := json.Unmarshal(text, &answer); err != nil || answer.Error != nil {
		t.Fatalf("%s: %v %s", method, err, text)
	}
}

func word(t testing.TB, text string) (out [32]byte) {
	t.Helper()
	if n, err := hex.Decode(out[:], []byte(text[2:])); err != nil || n != len(out) {
		t.Fatalf("%q is not a 32-byte word", text)
	}
	return out
}

// evidenceOf reads both ledgers of a data folder, and the chain.
func (w *testWorld) evidenceOf(t testing.TB, data string, key walletKey, limit uint64) evidence {
	t.Helper()
	return evidence{
		runtime: readSQLite(t, filepath.Join(data, fileOf(roleRuntime))), cosigner: readSQLite(t, filepath.Join(data, fileOf(roleCosigner))),
		transfers: readTransfers(t, w.chain.RPCURL(), w.chain.Token().Reference(), key.wallet.Address), limit: abi.NewAmount(limit),
		cosignerKey: publicKeyOf(t, filepath.Join(data, "identity", "cosigner.key")),
	}
}

// publicKeyOf reads the identity that a role keeps in its folder.
func publicKeyOf(t testing.TB, path string) ed25519.PublicKey {
	t.Helper()
	text, err := os.ReadFile(path) //nolint:gosec // the test's own folder
	if err != nil {
		t.Fatal(err)
	}
	seed, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(seed) != ed25519.SeedSize {
		t.Fatalf("%s holds no identity: %v", path, err)
	}
	public, _ := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	return public
}

// states counts the payments of the runtime's ledger by state.
func (e evidence) states() map[string]int {
	counts := map[string]int{}
	for _, row := range e.runtime.rows {
		counts[row.state]++
	}
	return counts
}

// delays counts the runtime's delayed steps by the state and the code of what delayed them.
func (e evidence) delays() map[string]int {
	counts := map[string]int{}
	for _, record := range e.runtime.records {
		var entry abi.Entry
		if entry.Unmarshal(record.Entry) != nil || entry.Kind != "payment.delayed" {
			continue
		}
		var body struct {
			From  string
			Error *abi.Error
		}
		if json.Unmarshal(entry.Body, &body) == nil && body.Error != nil {
			counts[body.From+": "+body.Error.Code+": "+body.Error.Message]++
		}
	}
	return counts
}

// denials counts denied payments of the runtime's log by the code of a deny.
func (e evidence) denials(code string) int {
	count := 0
	for _, record := range e.runtime.records {
		var entry abi.Entry
		if entry.Unmarshal(record.Entry) != nil || entry.Kind != "payment.denied" {
			continue
		}
		var body struct {
			Reason   *abi.Reason
			Decision *abi.Decision
		}
		if json.Unmarshal(entry.Body, &body) != nil || body.Decision == nil {
			continue
		}
		if slices.ContainsFunc(body.Decision.Verdicts, func(v abi.Verdict) bool {
			return slices.ContainsFunc(v.Reasons, func(r abi.Reason) bool { return r.Code == code })
		}) {
			count++
		}
	}
	return count
}

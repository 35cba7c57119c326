package audit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"iter"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// lineBytesMax bounds one line of an export: the entry in hex and the fields around it.
const lineBytesMax = 2*EntryBytesMax + 256

// exportLine is one line of an export (NDJSON), fields in this order, hex in lower case, no spaces. A line has
// exactly one spelling, so that two readers cannot see two logs in one file.
type exportLine struct {
	Position uint64 `json:"position"`
	Hash     string `json:"hash"`
	Entry    string `json:"entry"`
}

// Records reads a tenant's log from the ledger, from the first record on, page by page.
func Records(ctx context.Context, ledger store.Store, tenant string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		after := uint64(0)
		for {
			page, err := ledger.Log(ctx, store.LogQuery{Tenant: tenant, After: after, Max: store.LogMax})
			if err != nil {
				yield(store.Record{}, fmt.Errorf("read the log after %d: %w", after, err))
				return
			}
			for _, record := range page {
				if !yield(record, nil) {
					return
				}
				after = record.Position
			}
			if len(page) == 0 {
				return
			}
		}
	}
}

// Export writes records as NDJSON and returns how many. Every line is
// {"position":1,"hash":"<hex of SHA-256>","entry":"<hex of the entry's bytes>"}.
func Export(w io.Writer, records iter.Seq2[store.Record, error]) (count uint64, err error) {
	out := bufio.NewWriter(w)
	for record, err := range records {
		if err != nil {
			return count, err
		}
		line, err := encodeLine(record)
		if err != nil {
			return count, err
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return count, fmt.Errorf("write the export: %w", err)
		}
		count++
	}
	if err := out.Flush(); err != nil {
		return count, fmt.Errorf("write the export: %w", err)
	}
	return count, nil
}

// ReadExport reads what Export wrote. A line that is too long, or not spelled exactly as Export spells it, ends the
// sequence with an error of code export_invalid that names the line.
func ReadExport(r io.Reader) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(make([]byte, 0, 64<<10), lineBytesMax)
		lines.Split(splitLines)
		number := 0
		for lines.Scan() {
			number++
			record, err := decodeLine(lines.Bytes())
			if err != nil {
				yield(store.Record{}, badLine(number, err))
				return
			}
			if !yield(record, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(store.Record{}, badLine(number+1, err))
		}
	}
}

// splitLines wants every line ended: a file that was cut within its last line must not pass for a shorter one.
func splitLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if end := bytes.IndexByte(data, '\n'); end >= 0 {
		return end + 1, data[:end], nil
	}
	if atEOF && len(data) > 0 {
		return 0, nil, io.ErrUnexpectedEOF
	}
	return 0, nil, nil
}

func encodeLine(record store.Record) ([]byte, error) {
	return json.Marshal(exportLine{record.Position, hex.EncodeToString(record.Hash[:]), hex.EncodeToString(record.Entry)})
}

func decodeLine(line []byte) (store.Record, error) {
	var v exportLine
	if err := json.Unmarshal(line, &v); err != nil {
		return store.Record{}, err
	}
	hash, err := hex.DecodeString(v.Hash)
	if err != nil || len(hash) != 32 {
		return store.Record{}, fmt.Errorf("the hash is not 32 bytes of hex")
	}
	entry, err := hex.DecodeString(v.Entry)
	if err != nil {
		return store.Record{}, fmt.Errorf("the entry is not hex")
	}
	record := store.Record{Position: v.Position, Entry: entry, Hash: [32]byte(hash)}
	canonical, err := encodeLine(record)
	if err != nil || !bytes.Equal(canonical, line) {
		return store.Record{}, fmt.Errorf("the line is not in its one spelling")
	}
	return record, nil
}

func badLine(number int, cause error) error {
	return &abi.Error{
		Code: "export_invalid", Message: "the export cannot be read", Where: fmt.Sprintf("line %d", number),
		Fix: "export the log again", Cause: cause,
	}
}

package abi

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// The vectors are files that every SDK replays; the host's Go code is not
// imported here.
const vectorsFolder = "../../../abi/testdata/v1"

type vectors struct {
	Message string
	Valid   []struct {
		Name, Hex string
		View      json.RawMessage
	}
	Refused []struct{ Name, Hex, Guest string }
}

func readVectors(tb testing.TB, message string) (v vectors) {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join(vectorsFolder, message+".json"))
	if err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		tb.Fatal(err)
	}
	if len(v.Valid) == 0 || len(v.Refused) == 0 {
		tb.Fatalf("no vectors of %s", message)
	}
	return v
}

func TestGoldenVectorsReadTheSameAsOnTheHost(t *testing.T) {
	for _, name := range MessageNames() {
		for _, v := range readVectors(t, name).Valid {
			wire, err := hex.DecodeString(v.Hex)
			if err != nil {
				t.Fatal(err)
			}
			m := NewMessage(name)
			if err := m.Unmarshal(wire); err != nil {
				t.Errorf("%s, %s: %v", name, v.Name, err)
				continue
			}
			if again, err := m.Marshal(); err != nil || !bytes.Equal(again, wire) {
				t.Errorf("%s, %s: written as %x, %v", name, v.Name, again, err)
			}
			var want any
			d := json.NewDecoder(bytes.NewReader(v.View))
			d.UseNumber()
			if err := d.Decode(&want); err != nil {
				t.Fatal(err)
			}
			if got := view(reflect.ValueOf(m).Elem()); !reflect.DeepEqual(got, want) {
				t.Errorf("%s, %s: reads as %v, want %v", name, v.Name, got, want)
			}
		}
	}
}

func TestGoldenVectorsOfWrongBytes(t *testing.T) {
	for _, name := range MessageNames() {
		for _, v := range readVectors(t, name).Refused {
			wire, err := hex.DecodeString(v.Hex)
			if err != nil {
				t.Fatal(err)
			}
			err = NewMessage(name).Unmarshal(wire)
			if skipped := err == nil; skipped != (v.Guest == "skips") {
				t.Errorf("%s, %s: %v, but a guest %s", name, v.Name, err, v.Guest)
			}
		}
	}
}

// view is the JSON view by reflection, an independent reading of the structs.
func view(v reflect.Value) any {
	members := map[string]any{}
	for i := range v.NumField() {
		f := v.Field(i)
		if f.IsZero() {
			continue
		}
		members[viewName(v.Type().Field(i).Name)] = viewValue(f)
	}
	return members
}

func viewValue(f reflect.Value) any {
	if s, ok := f.Interface().(interface{ String() string }); ok {
		return s.String() // Amount and the enums
	}
	switch f.Kind() {
	case reflect.Uint64:
		text, err := json.Marshal(f.Uint())
		if err != nil {
			panic(err)
		}
		return json.Number(text)
	case reflect.Slice:
		if f.Type().Elem().Kind() == reflect.Uint8 {
			return hex.EncodeToString(f.Bytes())
		}
		list := []any{}
		for i := range f.Len() {
			list = append(list, viewValue(f.Index(i)))
		}
		return list
	case reflect.Pointer:
		return view(f.Elem())
	case reflect.Struct:
		return view(f)
	default:
		return f.Interface()
	}
}

// viewName undoes the generator's naming: BodySHA256 is body_sha256.
func viewName(name string) string {
	for _, word := range []string{"SHA256", "ABI", "RPC", "MIME", "URL", "ID"} {
		name = strings.Replace(name, word, word[:1]+strings.ToLower(word[1:]), 1)
	}
	var b strings.Builder
	for i, c := range name {
		if i > 0 && 'A' <= c && c <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(c)
	}
	return strings.ToLower(b.String())
}

// FuzzEveryMessageHasOneSpellingButForUnknownFields: reading, writing and reading
// again gives the same message.
func FuzzEveryMessageHasOneSpellingButForUnknownFields(f *testing.F) {
	names := MessageNames()
	for i, name := range names {
		for _, v := range readVectors(f, name).Valid {
			wire, err := hex.DecodeString(v.Hex)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(i), wire)
		}
	}
	f.Fuzz(func(t *testing.T, index uint8, wire []byte) {
		name := names[int(index)%len(names)]
		m, again := NewMessage(name), NewMessage(name)
		if err := m.Unmarshal(wire); err != nil {
			return
		}
		canonical, err := m.Marshal()
		if err != nil || len(canonical) > len(wire) {
			t.Fatalf("%s: %x was read and written as %x, %v", name, wire, canonical, err)
		}
		if err := again.Unmarshal(canonical); err != nil || !reflect.DeepEqual(m, again) {
			t.Fatalf("%s: %x reads differently from %x, %v", name, canonical, wire, err)
		}
	})
}

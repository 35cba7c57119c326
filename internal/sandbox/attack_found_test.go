package sandbox

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox/meter"
)

const attackManifest = `{"name":"attack","version":"1.0.0","kind":"policy","abi":{"major":1,"minor":0},"description":"a guest of a test","license":"Apache-2.0"}`

// attackGuest compiles a generated module: these would be long as files.
func attackGuest(t *testing.T, items string) []byte {
	t.Helper()
	tool, in, out := needTool(t, "wat2wasm"), filepath.Join(t.TempDir(), "guest.wat"), filepath.Join(t.TempDir(), "guest.wasm")
	text := `(module ` + items + ` (func (export "purser_abi_1") (result i32) (i32.const 0))
		(func (export "purser_alloc") (param i32) (result i32) (i32.const 4096))
		(func (export "purser_configure") (param i32 i32) (result i64) (i64.const 0x100000001)))`
	if err := os.WriteFile(in, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.CommandContext(t.Context(), tool, in, "-o", out).CombinedOutput(); err != nil { // #nosec G204 -- a test's own tool
		t.Fatalf("%v\n%s", err, said)
	}
	return withManifest(readFile(t, out), attackManifest)
}

// deepFrames is a guest whose frames keep 128 values for every 20 bytes of code. 'b' makes its stack grow by other steps
// than 'a' does.
func deepFrames(t *testing.T) []byte {
	sixteen, wide := strings.Repeat("i64 ", 16), func(n int) string {
		return strings.Repeat(strings.Repeat("call $source ", 8)+"call $nothing call $sink ", n)
	}
	return attackGuest(t, fmt.Sprintf(`(memory (export "memory") 1) (global $z (mut i64) (i64.const 1))
	(func $source (result %s) %s)
	(func $sink (param %s))
	(func $nothing)
	(func $prime %s)
	(func $down (param i32) (result i32)
	  (if (i32.eqz (local.get 0)) (then (return (i32.const 1))))
	  %s
	  (i32.add (call $down (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))
	(func (export "purser_policy_decide") (param i32 i32) (result i64)
	  (if (i32.eq (i32.load8_u (local.get 0)) (i32.const 98)) (then (call $prime) (drop (call $down (i32.const 24))) (return (i64.const 0x100000001))))
	  (i32.store (i32.const 8) (call $down (i32.const 31))) (i64.const 0x800000004))`,
		sixteen, strings.Repeat("global.get $z ", 16), strings.Repeat(sixteen, 8), wide(1200), wide(2000)))
}

func TestAStackThatOnceGrewIsNoMemory(t *testing.T) {
	p, err := openHost(t, Config{Calls: 1}).Install(context.Background(), deepFrames(t), abi.KindPolicy, Grants{})
	if err != nil {
		t.Fatal(err)
	}
	alone, behind := ask(configure(t, p, ""), "a")[0], ask(configure(t, p, ""), "ba")[1]
	if alone.Code != behind.Code || alone.Bytes != behind.Bytes || alone.Fuel != behind.Fuel {
		t.Errorf("behind another call it is %+v, alone %+v", behind, alone)
	}
}

func TestTheEnginesEndTheSameRecursion(t *testing.T) {
	wasm := deepFrames(t)
	all := map[Engine]answers{}
	for _, engine := range []Engine{Compiler, Interpreter} {
		p, err := openHost(t, Config{Engine: engine}).Install(context.Background(), wasm, abi.KindPolicy, Grants{})
		if err != nil {
			t.Fatal(err)
		}
		all[engine] = ask(configure(t, p, ""), "a")[0]
	}
	if c, i := all[Compiler], all[Interpreter]; c.Code != i.Code || c.Bytes != i.Bytes || c.Fuel != i.Fuel {
		t.Errorf("compiled %+v, interpreted %+v", c, i)
	}
}

func TestAFailedInstantiationIsUnmapped(t *testing.T) {
	wasm := attackGuest(t, `(memory (export "memory") 1) (func (export "purser_policy_decide") (param i32 i32) (result i64) (i64.const 0)) (data (i32.const 65536) "x")`)
	h := openHost(t, Config{})
	mapped := mappedMiB(t)
	for range 100 {
		_, err := h.Install(context.Background(), wasm, abi.KindPolicy, Grants{})
		wantCode(t, err, CodeInstallRefused)
	}
	if after := mappedMiB(t); after > mapped+leftNothingMiBMax {
		t.Errorf("%d MiB are mapped, %d before", after, mapped)
	}
}

// The host's functions must not serve a guest that is in debt: a run is charged before it begins, and checked later.
func TestAGuestInDebtGetsNothingFromTheHost(t *testing.T) {
	wasm := attackGuest(t, `(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
	(memory (export "memory") 2) (data (i32.const 0) "\08\00\00\00\05\00\00\00paid\0a")
	(func (export "purser_policy_decide") (param i32 i32) (result i64)
	  (block (br_if 0 (i32.eqz (local.get 0)))`+strings.Repeat("(drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64)))", 30)+`)
	  (loop $l (br $l)) (unreachable))`)
	p, err := openHost(t, Config{}).Install(context.Background(), wasm, abi.KindPolicy, Grants{Limits: Limits{Fuel: 1000}})
	if err != nil {
		t.Fatal(err)
	}
	result, err := decide(configure(t, p, ""), "a")
	wantCode(t, err, CodeFuelExhausted)
	if len(result.Log) > 0 {
		t.Errorf("%d lines were written on credit", len(result.Log))
	}
}

func TestCodeThatCompilesForMinutesIsRefused(t *testing.T) {
	locals, phi := strings.Repeat("i32 ", 4000), strings.Builder{}
	for i := range 4000 {
		fmt.Fprintf(&phi, "local.get %d i32.add ", i+1)
	}
	var branches strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&branches, "(local.set %d (local.get 0)) local.get 0 br_if 0 ", i%4000+1)
	}
	wide := strings.Repeat(strings.Repeat("call $source ", 8)+"call $sink ", 400)
	var calls strings.Builder
	for range 1500 {
		calls.WriteString("(func " + wide + ")")
	}
	decide := `(memory (export "memory") 1) (func (export "purser_policy_decide") (param i32 i32) (result i64) (i64.const 0))`
	for name, items := range map[string]string{
		"locals at the end of many branches": `(func (param i32) (result i32) (local ` + locals + `) (block ` + branches.String() + `) i32.const 0 ` + phi.String() + `)`,
		"calls of many values":               `(func $source (result ` + strings.Repeat("i64 ", 16) + `) ` + strings.Repeat("i64.const 1 ", 16) + `) (func $sink (param ` + strings.Repeat("i64 ", 128) + `))` + calls.String(),
	} {
		module := attackGuest(t, decide+items)
		if _, err := scan(module); err != nil {
			t.Fatal(err)
		}
		if _, err := meter.Rewrite(module); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/abi/abitest"
	"github.com/purserhq/purser/internal/toolchain"
	"github.com/purserhq/purser/runtime/judge"
)

// inspection is what can be known of a module.
type inspection struct {
	File     string          `json:"file"`
	Bytes    int             `json:"bytes"`
	SHA256   string          `json:"sha256"`
	Manifest json.RawMessage `json:"manifest"`
	toolchain.Outline
	Identity json.RawMessage `json:"identity,omitempty"`
	// FuelMax and MemoryPagesMax are the limits in force.
	FuelMax        uint64        `json:"fuel_max,omitempty"`
	MemoryPagesMax uint64        `json:"memory_pages_max,omitempty"`
	Vectors        []vectorUse   `json:"vectors,omitempty"`
	read           *abi.Manifest // the manifest, parsed
}

// vectorUse is what one vector used.
type vectorUse struct {
	Name        string `json:"name"`
	Call        string `json:"call"`
	Fuel        uint64 `json:"fuel"`
	MemoryPages uint32 `json:"memory_pages"`
	Error       string `json:"error,omitempty"`
}

func pluginInspectCommand(out *console) *cobra.Command {
	return &cobra.Command{
		Use: "inspect FILE", Short: "Show a module's manifest, imports, exports, size, digest and the fuel of each vector", Args: exactly(1, "FILE"),
		RunE: func(command *cobra.Command, args []string) error {
			module, err := moduleArgument(args[0])
			if err != nil {
				return err
			}
			shown, err := outlineOf(args[0], module)
			if err != nil {
				return err
			}
			out.step("compiling %s", args[0])
			refused := shown.load(command.Context(), module)
			out.done()
			// What can be seen is shown even when the module does not load: that is when it is needed most.
			if err := out.result(shown, shown.text()); err != nil {
				return err
			}
			return refused
		},
	}
}

func outlineOf(path string, module []byte) (*inspection, error) {
	outline, err := toolchain.ReadOutline(module)
	if err != nil {
		return nil, err
	}
	shown := &inspection{File: path, Bytes: len(module), SHA256: fmt.Sprintf("%x", sha256.Sum256(module)), Outline: outline}
	if shown.read, err = abitest.ManifestOf(module); err != nil {
		return nil, err
	}
	shown.Manifest, err = abi.CanonicalJSON(outline.Manifest)
	return shown, err
}

// load installs the module and runs its vectors.
func (i *inspection) load(ctx context.Context, module []byte) (err error) {
	guest, err := abitest.Open(ctx, module, abitest.GuestConfig{CacheDir: pluginCache()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, guest.Close()) }()
	if i.Identity, err = guest.Identity(); err != nil {
		return err
	}
	i.FuelMax, i.MemoryPagesMax = guest.Limits()
	failed := 0
	for _, vector := range i.read.Vectors {
		answer, err := guest.RunVector(ctx, vector)
		use := vectorUse{Name: vector.Name, Call: vector.Call, Fuel: answer.Fuel, MemoryPages: answer.MemoryPages}
		if err == nil {
			err = asPromised(i.read.Kind, vector, answer)
		}
		if err != nil {
			use.Error = err.Error()
			failed++
		}
		i.Vectors = append(i.Vectors, use)
	}
	if failed > 0 && ctx.Err() == nil {
		return &abi.Error{Code: judge.CodeVectorFailed, Where: i.File, Message: fmt.Sprintf("%d of %s fail, so no host loads the module", failed, count(len(i.Vectors), "vector")), Fix: "see: purser plugin test " + i.File}
	}
	return ctx.Err()
}

// asPromised compares an answer with the result in the manifest, as every host does.
func asPromised(kind abi.Kind, vector abi.ManifestVector, answer abitest.Answer) error {
	call, _ := kind.Call(vector.Call) // ParseManifest refuses others
	message := abi.NewMessage(call.Result)
	if err := message.UnmarshalJSON(vector.Result); err != nil {
		return err
	}
	promised, err := message.Marshal()
	if err != nil {
		return err
	}
	if !bytes.Equal(promised, answer.Bytes) {
		return errors.New("another answer than the manifest promises")
	}
	return nil
}

func (i *inspection) text() string {
	var b strings.Builder
	m := i.read
	line := func(name, format string, args ...any) {
		if text := fmt.Sprintf(format, args...); text != "" {
			fmt.Fprintf(&b, "  %-9s %s\n", name, text)
		}
	}
	fmt.Fprintf(&b, "%s %s  %s, ABI %d.%d\n  %s\n", m.Name, m.Version, m.Kind, m.ABIMajor, m.ABIMinor, m.Description)
	line("licence", "%s", m.License)
	line("source", "%s", m.Source)
	line("sha256", "%s", i.SHA256)
	line("size", "%d bytes", i.Bytes)
	var facts []string
	for _, fact := range m.Facts {
		facts = append(facts, fmt.Sprintf("%s (%s)", fact.Name, fact.Provenance))
	}
	line("facts", "%s", strings.Join(facts, ", "))
	line("rpc", "%s", strings.Join(m.RPCMethods, ", "))
	line("imports", "%s", items(i.Imports))
	line("exports", "%s", items(i.Exports))
	if i.FuelMax > 0 {
		line("limits", "%d fuel, %d pages of 64 KiB", i.FuelMax, i.MemoryPagesMax)
	}
	for _, v := range i.Vectors {
		text := fmt.Sprintf("%d fuel, %d pages", v.Fuel, v.MemoryPages)
		if v.Error != "" {
			text = v.Error
		}
		line("vector", "%s: %s: %s", v.Call, v.Name, text)
	}
	return abitest.Printable(b.String())
}

// items lists exports, and imports by the module they come from.
func items(list []toolchain.Item) string {
	if len(list) == 0 {
		return "none"
	}
	var b strings.Builder
	from := ""
	for i, item := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		if item.Module != from {
			from = item.Module
			b.WriteString(from + ": ")
		}
		b.WriteString(item.Name)
		if item.Kind != "function" {
			b.WriteString(" (" + item.Kind + ")")
		}
	}
	return b.String()
}

package bundle

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"sync"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox"
)

const (
	// instancesMax is over how many instances of one policy the requests are spread.
	instancesMax = 20
	// interpretedShare is of how many requests one also runs on the interpreter.
	interpretedShare = 100
	// goShare is of how many requests one goes to the Go policy, whose calls take ten times as long.
	goShare = 10
	// requestsInCI keeps a plain run to seconds; PURSER_SOAK_REQUESTS overrides it (make soak: a million).
	requestsInCI = 5000
)

// TestEveryRequestIsDecidedAlikeEverywhere decides generated requests twice, on different instances, and a sample of
// them on the interpreter too: the bytes and the fuel must be the same.
func TestEveryRequestIsDecidedAlikeEverywhere(t *testing.T) {
	requests := uint64(requestsInCI)
	if text := os.Getenv("PURSER_SOAK_REQUESTS"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		requests = n
	}
	policies := []field{fieldOf(t, "rust", builtRustPolicy(t)), fieldOf(t, "go", builtModule(t, "price-sanity"))}
	const workers = 2
	var wg sync.WaitGroup
	for worker := range uint64(workers) {
		wg.Go(func() {
			for n := worker; n < requests && !t.Failed(); n += workers {
				if err := decidedAlike(t.Context(), policies, n); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d requests, each decided twice on %d instances, one of %d also on the interpreter", requests, instancesMax, interpretedShare)
}

// field is one policy in many instances.
type field struct {
	name        string
	instances   [instancesMax]*sandbox.Configured
	interpreted *sandbox.Configured
}

func fieldOf(t *testing.T, name string, module []byte) field {
	t.Helper()
	f := field{name: name}
	configure := configureOf(t)
	cache := filepath.Join(t.TempDir(), "cache")
	for _, engine := range []sandbox.Engine{sandbox.Compiler, sandbox.Interpreter} {
		host, err := sandbox.Open(sandbox.Config{Engine: engine, CacheDir: cache, Calls: instancesMax})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := host.Close(); err != nil {
				t.Error(err)
			}
		})
		plugin, err := host.Install(t.Context(), module, abi.KindPolicy, sandbox.Grants{Facts: []string{"quotes"}})
		if err != nil {
			t.Fatal(err)
		}
		if engine == sandbox.Interpreter {
			f.interpreted = configured(t, plugin, configure)
			continue
		}
		for i := range f.instances {
			f.instances[i] = configured(t, plugin, configure)
		}
	}
	return f
}

// configureOf is the configuration of the price-sanity vectors.
func configureOf(t *testing.T) []byte {
	t.Helper()
	for _, v := range readVectors(t, "price-sanity") {
		if v.Call == abi.ExportDecide {
			return unhex(t, v.ConfigureHex)
		}
	}
	t.Fatal("no vector decides")
	return nil
}

func configured(t *testing.T, plugin *sandbox.Plugin, request []byte) *sandbox.Configured {
	t.Helper()
	c, _, err := plugin.Configure(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func decidedAlike(ctx context.Context, policies []field, n uint64) error {
	f := policies[0]
	if n%goShare == 0 {
		f = policies[1]
	}
	random := rand.New(rand.NewPCG(n, 20)) // #nosec G404 -- the same requests each time
	request := &abi.DecideRequest{}
	randomize(random, reflect.ValueOf(request).Elem(), 0)
	encoded, err := request.Marshal()
	if err != nil {
		return fmt.Errorf("request %d: %w", n, err)
	}
	first := random.IntN(instancesMax)
	on := []*sandbox.Configured{f.instances[first], f.instances[(first+1+random.IntN(instancesMax-1))%instancesMax]}
	if n%interpretedShare == 0 {
		on = append(on, f.interpreted)
	}
	call := sandbox.Call{Export: abi.ExportDecide, Request: encoded, Now: request.NowUnixS % (1 << 32)}
	want, wantErr := on[0].Call(ctx, call)
	for i, instance := range on[1:] {
		got, err := instance.Call(ctx, call)
		if !bytes.Equal(got.Bytes, want.Bytes) || got.Fuel != want.Fuel || abi.CodeOf(err) != abi.CodeOf(wantErr) {
			return fmt.Errorf("request %d on the %s policy: run %d gives %x for %d fuel (%s), run 0 %x for %d fuel (%s)\nrequest %x",
				n, f.name, i+1, got.Bytes, got.Fuel, abi.CodeOf(err), want.Bytes, want.Fuel, abi.CodeOf(wantErr), encoded)
		}
	}
	return nil
}

// randomize fills a message with values that can be encoded: short lists, texts of all kinds, small enums.
func randomize(random *rand.Rand, v reflect.Value, depth int) {
	switch value := v.Addr().Interface().(type) {
	case *abi.Amount:
		*value = abi.NewAmount(random.Uint64() >> random.IntN(64))
		return
	case *[]byte:
		*value = fmt.Appendf(nil, "%x", random.Uint64())[:random.IntN(9)]
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if random.IntN(4) > 0 {
				randomize(random, v.Field(i), depth)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		randomize(random, v.Elem(), depth+1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), random.IntN(4), 4))
		for i := range v.Len() {
			randomize(random, v.Index(i), depth+1)
		}
	case reflect.String:
		texts := []string{"", "usdc", "quotes", "https://api.example.com:443", "0x1234", "ü☃𝄞", "own", strconv.FormatUint(random.Uint64(), 10)}
		v.SetString(texts[random.IntN(len(texts))])
	case reflect.Bool:
		v.SetBool(random.IntN(2) == 0)
	case reflect.Uint8:
		v.SetUint(uint64(random.IntN(3)))
	case reflect.Uint64:
		v.SetUint(random.Uint64() >> (11 + random.IntN(50)))
	default:
		panic("a message has a field of the kind " + v.Kind().String())
	}
}

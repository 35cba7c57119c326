package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime"
	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/runtime/client"
	"github.com/purserhq/purser/runtime/judge"
)

const demoAgent = "agent"

// demoRoutes are what the demo buys, in this order: cheap; above the plugin's ceiling; needing a person; and one that
// no longer fits into the day.
var demoRoutes = []paidRoute{
	{"/weather", abi.NewAmount(10_000), `{"weather":"sunny","celsius":21}` + "\n"},
	{"/jewel", abi.NewAmount(12_000_000), `{"jewel":"a very expensive one"}` + "\n"},
	{"/report", abi.NewAmount(8_000_000), demoReport},
	{"/dataset", abi.NewAmount(9_000_000), `{"dataset":"large"}` + "\n"},
}

func demoCommand(out *console) *cobra.Command {
	var data string
	command := &cobra.Command{
		Use: "demo", Short: "Run the story on an embedded chain, then exit", Args: exactly(0, "none"),
		RunE: func(command *cobra.Command, _ []string) error {
			if data == "" {
				folder, err := os.MkdirTemp("", "purser-demo-")
				if err != nil {
					return err
				}
				data = folder
			} else if _, err := os.Stat(filepath.Join(data, fileOf(roleRuntime))); err == nil {
				return usageError{fmt.Errorf("%s holds an earlier run; the demo's chain is new each time: name another folder", data)}
			}
			return runDemo(command.Context(), out, data)
		},
	}
	command.Flags().StringVar(&data, "data", "", "folder to keep the data in; default: a new temporary one, printed at the end")
	return command
}

// demo is the running story.
type demo struct {
	out   *console
	local *local
	stack *stack
	agent *client.Client
	admin *client.Client

	mu      sync.Mutex
	moved   *sync.Cond
	events  []api.Event
	shown   int
	summary demoSummary
}

type demoSummary struct {
	Delivered int    `json:"delivered"`
	Held      int    `json:"held"`
	Denied    int    `json:"denied"`
	Audit     string `json:"audit"`
}

func runDemo(ctx context.Context, out *console, data string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	d := &demo{out: out}
	d.moved = sync.NewCond(&d.mu)
	if err := d.open(ctx, data); err != nil {
		return err
	}
	closed := false
	closeAll := func() error {
		if closed {
			return nil
		}
		closed = true
		err := d.stack.Close()
		d.local.Close()
		return err
	}
	defer func() { _ = closeAll() }() // the first error is the one to report
	streaming, stop := context.WithCancel(ctx)
	streamed := make(chan error, 1)
	go func() { streamed <- d.admin.Stream(streaming, 0, d.see) }()
	err := d.story(ctx, data)
	stop()
	if streamErr := <-streamed; err == nil && streamErr != nil && !errors.Is(streamErr, context.Canceled) {
		err = streamErr
	}
	if err != nil {
		return err
	}
	if err := closeAll(); err != nil {
		return err
	}
	return d.finish(ctx, data)
}

func (d *demo) open(ctx context.Context, data string) error {
	var err error
	if d.local, err = openLocal(ctx, localConfig{data: data, routes: demoRoutes, out: d.out}); err != nil {
		return err
	}
	d.out.step("compiling plugins (slow the first time on a machine)")
	key, err := demoKeys()
	if err != nil {
		d.local.Close()
		return err
	}
	d.stack, err = openStack(ctx, stackConfig{
		data: data, policy: d.local.policyPath, keys: []walletKey{key},
		chains: map[abi.Network]string{d.local.chain.Network(): d.local.chain.RPCURL()},
	})
	if err != nil {
		d.local.Close()
		return err
	}
	d.out.done()
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, d.stack.Close())
	}
	d.local.serve(listener, d.stack.gateway)
	server := "http://" + listener.Addr().String()
	token, err := d.stack.runtime.CreateAgent(ctx, demoAgent, demoWalletID, nil)
	if err != nil {
		return errors.Join(err, d.stack.Close())
	}
	if _, err := saveToken(data, demoAgent, token.Reveal()); err != nil {
		return err
	}
	if d.agent, err = client.New(server, client.Token(token.Reveal()), nil); err != nil {
		return err
	}
	d.admin, err = client.New(server, client.Token(d.stack.operator), nil)
	return err
}

// see collects the stream; every decision line of the transcript comes out of it.
func (d *demo) see(event api.Event) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = append(d.events, event)
	d.moved.Broadcast()
	return nil
}

// show prints the events of a payment as they come, until it rests in the state wanted.
func (d *demo) show(ctx context.Context, payment, until string) error {
	stop := context.AfterFunc(ctx, d.moved.Broadcast)
	defer stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		for ; d.shown < len(d.events); d.shown++ {
			event := d.events[d.shown]
			if event.Payment != payment {
				continue
			}
			if err := d.printEvent(event); err != nil {
				return err
			}
			if event.Kind == "payment."+until {
				d.shown++
				return nil
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		d.moved.Wait()
	}
}

func (d *demo) story(ctx context.Context, data string) error {
	d.out.say("%s", d.out.paint(bold, "An agent meets HTTP 402 and pays without a key of its own."))
	d.out.say("in-process co-signer: for demo, dev and tests only; demo wallet: published shares that sign for %s only\n", d.local.chain.Network())
	paid, err := d.buy(ctx, "/weather", "demo-weather", runtime.Delivered)
	if err != nil {
		return err
	}
	d.out.say("  HTTP %d  %s", paid.Response.Status, string(paid.Response.Body))
	if _, err := d.buy(ctx, "/jewel", "demo-jewel-01", runtime.Denied); err != nil {
		return err
	}
	held, err := d.buy(ctx, "/report", "demo-report-1", runtime.Held)
	if err != nil {
		return err
	}
	if err := d.approve(ctx, data, held); err != nil {
		return err
	}
	_, err = d.buy(ctx, "/dataset", "demo-dataset1", runtime.Denied)
	return err
}

// buy has the agent pay for a path and follows the payment on the stream.
func (d *demo) buy(ctx context.Context, path, key string, want runtime.State) (api.View, error) {
	d.out.say("%s", d.out.paint(bold, "$ purser pay "+d.local.merchantURL+path))
	view, err := d.agent.Pay(ctx, api.PayParams{Key: key, URL: d.local.merchantURL + path})
	if err != nil {
		return view, err
	}
	if view.State != string(want) {
		return view, fmt.Errorf("demo: %s is %s, want %s: %s", path, view.State, want, d.out.describe(view))
	}
	if err := d.show(ctx, view.ID, view.State); err != nil {
		return view, err
	}
	d.count(view)
	return view, d.conclude(view)
}

func (d *demo) count(view api.View) {
	switch runtime.State(view.State) {
	case runtime.Delivered:
		d.summary.Delivered++
	case runtime.Held:
		d.summary.Held++
	case runtime.Denied:
		d.summary.Denied++
	case runtime.Received, runtime.Allowed, runtime.Prepared, runtime.Armed, runtime.Signed, runtime.Unknown, runtime.Settled, runtime.Dead:
	}
}

// approve signs as the operator and follows the payment to its end.
func (d *demo) approve(ctx context.Context, data string, held api.View) error {
	d.out.say("%s", d.out.paint(bold, "$ purser approvals approve "+held.ID))
	key, err := readApproverKey(data + "/" + approverFile)
	if err != nil {
		return err
	}
	statement, err := d.admin.Statement(ctx, held.ID, approverName, true)
	if err != nil {
		return err
	}
	if err := judge.SignStatement(&statement, key); err != nil {
		return err
	}
	view, err := d.admin.Approve(ctx, statement)
	if err != nil {
		return err
	}
	if view.State != string(runtime.Delivered) {
		return fmt.Errorf("demo: the approved payment is %s: %s", view.State, d.out.describe(view))
	}
	if err := d.show(ctx, view.ID, view.State); err != nil {
		return err
	}
	d.count(view)
	return d.conclude(view)
}

func (d *demo) finish(ctx context.Context, data string) error {
	for _, role := range roles {
		if err := (ledgerPlace{data: data}).verify(ctx, d.out.quiet(), role, defaultTenant); err != nil {
			return err
		}
	}
	d.summary.Audit = "verified"
	if d.out.json {
		if err := d.out.line(map[string]string{"data": data}); err != nil {
			return err
		}
		return d.out.line(map[string]any{"summary": d.summary})
	}
	d.out.say("\n%s  %d delivered, %d held and then approved, %d denied; both audit logs verify", d.out.paint(green, "done"),
		d.summary.Delivered, d.summary.Held, d.summary.Denied)
	d.out.say("\nLook around:\n  purser audit verify --data %s\n  purser audit export --data %s\n  purser policy validate %s/%s\n  purser dev    # the same parts, long-running", data, data, data, policyFile)
	return nil
}

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/runtime/client"
)

func streamCommand(out *console) *cobra.Command {
	var where remote
	var after uint64
	var name string
	var count int
	command := &cobra.Command{
		Use: "stream", Short: "Print decisions as they are made", Args: exactly(0, "none"),
		Long: "stream prints every log entry after a position and then live ones, without gap or duplicate. The operator sees all,\nan agent its own payments.",
		RunE: func(command *cobra.Command, _ []string) error {
			c, err := where.as(name)
			if err != nil {
				return err
			}
			seen := 0
			err = c.Stream(command.Context(), after, func(event api.Event) error {
				if err := out.event(event); err != nil {
					return err
				}
				if seen++; count > 0 && seen >= count {
					return client.ErrStopStream
				}
				return nil
			})
			if command.Context().Err() != nil {
				return nil //nolint:nilerr // whoever watches ends it with an interrupt: that is no failure
			}
			return notPaying(err)
		},
	}
	where.flags(command)
	command.Flags().Uint64Var(&after, "after", 0, "position of the last entry already seen")
	command.Flags().StringVar(&name, "as", operatorName, "whose token of the data folder to use: operator, or an agent")
	command.Flags().IntVar(&count, "count", 0, "stop after that many entries; 0: never")
	return command
}

func (c *console) event(event api.Event) error {
	return c.result(event, fmt.Sprintf("%6d  %s  %-24s %-14s %s  #%d %s\n", event.Seq, event.Time.Format("15:04:05.000"), event.Kind, event.Agent, event.Payment, event.ChainSeq, event.Hash[:12]))
}

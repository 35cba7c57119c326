package abitest

import (
	"context"
	"fmt"

	"github.com/purserhq/purser/abi"
)

// configs invents configurations from the module's own schema. A valid one must be taken or answered with problems; an
// invalid one must be refused before the guest sees it, and must not crash a guest that does.
func (c *checker) configs(ctx context.Context) {
	guest := c.guests[Compiler]
	var seeds [][]byte
	for _, vector := range c.manifest.Vectors {
		if len(vector.Config) > 0 {
			seeds = append(seeds, vector.Config)
		}
	}
	samples, err := guest.schema.Samples(newDraws(c.options.Seed, "configs"), c.options.Configs, seeds...)
	if err != nil {
		c.report.failed("config", "samples", err)
		return
	}
	c.validConfigs(ctx, samples.Valid)
	c.invalidConfigs(ctx, samples.Invalid)
}

func (c *checker) validConfigs(ctx context.Context, configs [][]byte) {
	taken, objected := 0, 0
	for _, config := range configs {
		ok, problem := c.tryConfig(ctx, config)
		switch {
		case ctx.Err() != nil:
			return
		case problem != "":
			c.report.fail("config", "valid", fmt.Sprintf("%s: %s", clip(config), problem))
			return
		case ok:
			taken++
		default:
			objected++
		}
	}
	if len(configs) == 0 {
		c.report.warn("config", "valid", "no configuration that the schema allows was found")
		return
	}
	if taken == 0 {
		c.report.warn("config", "valid", fmt.Sprintf("%d tried: the plugin refused them all, so none of its work was seen with one; let the schema say what it refuses", len(configs)))
		return
	}
	c.report.pass("config", "valid", fmt.Sprintf("%d tried: %d taken, %d answered with problems", len(configs), taken, objected))
}

// invalidConfigs goes past the schema on purpose. A guest that takes what its schema refuses is well protected by it; a
// guest that traps has only the schema between an operator's typing error and a denial of everything.
func (c *checker) invalidConfigs(ctx context.Context, configs [][]byte) {
	guest := c.guests[Compiler]
	trapped, example := 0, ""
	for _, config := range configs {
		configured, err := guest.Configure(ctx, config)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			c.report.fail("config", "invalid", fmt.Sprintf("%s breaks the schema and was taken", clip(config)))
			if err := configured.Close(); err != nil {
				c.report.failed("config", "invalid", err)
			}
			return
		}
		if _, problem := c.tryConfig(ctx, config); problem != "" {
			trapped++
			example = fmt.Sprintf("%s: %s", clip(config), problem)
		}
	}
	switch {
	case len(configs) == 0:
		c.report.warn("config", "invalid", "the schema allows every configuration that was tried")
	case trapped > 0:
		c.report.warn("config", "invalid", fmt.Sprintf("%d refused; without its schema the guest would fail on %d of them, such as %s", len(configs), trapped, example))
	default:
		c.report.pass("config", "invalid", fmt.Sprintf("%d tried: all refused", len(configs)))
	}
}

// tryConfig hands a configuration to the guest itself. problem says how it broke the contract.
func (c *checker) tryConfig(ctx context.Context, config []byte) (ok bool, problem string) {
	configured, answer, err := c.guests[Compiler].configureUnchecked(ctx, config)
	if abi.CodeOf(err) == abi.ReasonInputTooLarge {
		return false, "" // the host refuses it unread
	}
	if err != nil {
		return false, describe(err)
	}
	if err := configured.Close(); err != nil {
		return false, describe(err)
	}
	if answer.Ok && len(answer.Problems) > 0 {
		return false, "answers ok with problems"
	}
	if !answer.Ok && len(answer.Problems) == 0 {
		return false, "refuses without naming a problem"
	}
	return answer.Ok, ""
}

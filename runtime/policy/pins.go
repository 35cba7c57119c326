package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/pinned"
	"github.com/purserhq/purser/runtime/policy/rules"
	"go.yaml.in/yaml/v4"
)

// shared reads what all policies of a file share. It runs before them: they name approvers and signers.
func (c *compiler) shared(root *yaml.Node, top map[string]field) {
	if f, ok := top["approvers"]; ok {
		c.approvers(f.value)
	}
	if f, ok := top["merchants"]; ok {
		c.merchants(f.value)
	}
	if f, ok := top["assets"]; ok {
		for _, item := range c.items(f.value, "assets", rules.TokensMax) {
			c.asset(item)
		}
	}
	for _, token := range c.tokens.Tokens() {
		c.spec.Tokens = append(c.spec.Tokens, rules.Token{
			Asset: string(token.Asset), Symbol: token.Symbol, Unit: token.Unit,
			Decimals: uint64(token.Decimals), Name: token.Name, Version: token.Version,
		})
	}
	c.networks(top)
	if f, ok := top["trust"]; ok {
		c.trust(f.value)
	}
	if f, ok := top["tenant"]; ok {
		found := c.fields(f.value, "tenant", "max_transaction_usdc", rules.BudgetDaily, rules.BudgetHourly, "budgets")
		c.spec.Tenant.TransactionMax, c.spec.Tenant.Budgets = c.limits(found, rules.ByTenant)
	}
}

// merchants reads who is paid at an origin.
func (c *compiler) merchants(n *yaml.Node) {
	for _, item := range c.items(n, "merchants", rules.MerchantsMax) {
		found := c.fields(item, "the merchant", "origin", "pay_to")
		c.need(item, "the merchant", found, "origin", "pay_to")
		var m rules.Merchant
		if f, ok := found["origin"]; ok {
			m.Origin = c.origin(f.value)
			if m.Origin != "" && slices.ContainsFunc(c.spec.Merchants, func(other rules.Merchant) bool { return other.Origin == m.Origin }) {
				c.fail(f.value, "entry_repeated", fmt.Sprintf("%s is pinned twice", m.Origin), "list all its payees in one entry")
			}
		}
		if f, ok := found["pay_to"]; ok {
			m.PayTo = c.set(f.value, "pay_to", rules.PayToMax, c.account)
			if f.value.Kind == yaml.SequenceNode && len(f.value.Content) == 0 {
				c.fail(f.value, "list_empty", "pay_to lists nobody", "write at least one address")
			}
		}
		c.spec.Merchants = append(c.spec.Merchants, m)
	}
	slices.SortFunc(c.spec.Merchants, func(a, b rules.Merchant) int { return strings.Compare(a.Origin, b.Origin) })
}

func (c *compiler) origin(n *yaml.Node) string {
	s, ok := c.text(n, "origin")
	if !ok {
		return ""
	}
	origin, err := rules.ParseOrigin(s)
	if err != nil {
		c.failWith(n, err)
		return ""
	}
	if !origin.Private() {
		c.failInsecure(n, origin)
	}
	return string(origin)
}

// account reads a recipient that must be an address.
func (c *compiler) account(n *yaml.Node, what string) (string, bool) {
	s, ok := c.text(n, what)
	if !ok {
		return "", false
	}
	r, err := rules.ParseRecipient(s)
	if err != nil || r.Origin != "" || r.Elided {
		c.fail(n, "recipient_invalid", fmt.Sprintf("%s is %.80q, which is not a whole address", what, s), `write "0x" and 40 hex digits, or "eip155:8453:0x…"`)
		return "", false
	}
	return r.String(), c.checksumHolds(n, s)
}

// asset declares a token that is not built in.
func (c *compiler) asset(n *yaml.Node) {
	keys := []string{"asset", "symbol", "unit", "decimals", "name", "version"}
	before := len(c.errors.list) + c.errors.more
	found := c.fields(n, "the asset", keys...)
	c.need(n, "the asset", found, keys...)
	texts := map[string]string{}
	for _, key := range keys {
		if f, ok := found[key]; ok && key != "decimals" {
			texts[key], _ = c.text(f.value, key)
		}
	}
	token := pinned.Token{Symbol: texts["symbol"], Unit: texts["unit"], Name: texts["name"], Version: texts["version"]}
	if f, ok := found["asset"]; ok && texts["asset"] != "" {
		asset, err := abi.ParseAsset(texts["asset"])
		if err != nil {
			c.failWith(f.value, err)
		} else if c.checksumHolds(f.value, texts["asset"]) {
			token.Asset = asset
		}
	}
	if f, ok := found["decimals"]; ok {
		decimals, _ := c.count(f.value, "decimals", 0, 36)
		token.Decimals = uint8(min(decimals, 36))
	}
	if f, ok := found["unit"]; ok && token.Unit != "" && !rules.ValidUnit(token.Unit) {
		c.fail(f.value, "unit_invalid", fmt.Sprintf("%.60q cannot be a token's unit", token.Unit), "use "+rules.UnitUSDC+" for dollars at par")
	}
	if len(c.errors.list)+c.errors.more > before {
		return
	}
	table, err := c.tokens.With(token)
	if err != nil {
		c.failWith(n, err)
		return
	}
	c.tokens = table
	if token.Unit != rules.UnitUSDC {
		c.warn(found["unit"].value, "unit_without_limits", fmt.Sprintf("no limit counts in %s, so every payment in it is denied", token.Unit),
			"use unit "+rules.UnitUSDC+" if the token is worth a dollar")
	}
}

// networks reads the allow-list. Without one, the networks of the known tokens are written out, so that the bundle
// says what it allows.
func (c *compiler) networks(top map[string]field) {
	known := map[string]bool{}
	for _, token := range c.tokens.Tokens() {
		known[string(token.Asset.Network())] = true
	}
	f, written := top["networks"]
	if !written {
		for network := range known {
			c.spec.Networks = append(c.spec.Networks, network)
		}
		slices.Sort(c.spec.Networks)
		return
	}
	c.spec.Networks = c.set(f.value, "networks", rules.NetworksMax, func(n *yaml.Node, what string) (string, bool) {
		s, ok := c.text(n, what)
		if !ok {
			return "", false
		}
		network, err := abi.ParseNetwork(s)
		if err != nil {
			c.failWith(n, err)
			return "", false
		}
		if !known[s] {
			c.warn(n, "network_without_asset", fmt.Sprintf("no asset on %s is known, so nothing can be paid there", s), "declare one under assets:")
		}
		return string(network), true
	})
}

package rules

// MayAsk reports whether the policy could let an agent pay somebody at an origin: the origin is on its list, or an
// account that might be paid anywhere is, or there is no list. It is asked before anything is fetched, so that a token
// is no way to reach servers where its policy pays nobody.
func (p *Policy) MayAsk(origin string) bool {
	parsed, err := ParseOrigin(origin)
	return err == nil && (p.spec.AnyPayee || p.recipients.origins[parsed] || len(p.recipients.accounts) > 0)
}

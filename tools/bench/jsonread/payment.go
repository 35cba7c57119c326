package jsonread

import (
	"errors"
	"strconv"

	"github.com/purserhq/purser/tools/bench/policy"
)

var errDocument = errors.New("not the JSON document that was expected")

// Payment reads what the policy needs from the JSON view of a DecideRequest. It reports readable false for an amount
// above policy.AmountMax.
func Payment(document string) (p policy.Payment, readable bool, err error) {
	r := paymentReader{Reader: New(document), readable: true}
	for r.Enter('{'); r.More('}'); {
		switch r.Key() {
		case "intent":
			r.intent(&p)
		case "quote":
			r.quote(&p)
		case "agent":
			for r.Enter('{'); r.More('}'); {
				if r.Key() == "tier" {
					p.Tier = r.Text()
				} else {
					r.Skip()
				}
			}
		case "facts":
			r.facts(&p)
		case "now_unix_s":
			p.NowUnixS = r.Uint()
		default:
			r.Skip()
		}
	}
	if r.Failed() {
		return policy.Payment{}, false, errDocument
	}
	return p, r.readable, nil
}

type paymentReader struct {
	*Reader
	readable bool
}

func (r *paymentReader) amount() uint64 {
	n, err := strconv.ParseUint(r.Text(), 10, 64)
	r.readable = r.readable && err == nil && n <= policy.AmountMax
	return n
}

func (r *paymentReader) intent(p *policy.Payment) {
	for r.Enter('{'); r.More('}'); {
		switch r.Key() {
		case "network":
			p.Network = r.Text()
		case "asset":
			p.Asset = r.Text()
		case "payee":
			p.Payee = r.Text()
		case "origin":
			p.Origin = r.Text()
		case "amount":
			p.Amount = r.amount()
		default:
			r.Skip()
		}
	}
}

func (r *paymentReader) quote(p *policy.Payment) {
	for r.Enter('{'); r.More('}'); {
		switch r.Key() {
		case "payee":
			p.QuotePayee = r.Text()
		case "amount":
			p.QuoteAmount = r.amount()
		default:
			r.Skip()
		}
	}
}

func (r *paymentReader) facts(p *policy.Payment) {
	for r.Enter('{'); r.More('}'); {
		switch r.Key() {
		case "budgets":
			for r.Enter('['); r.More(']'); {
				p.Budgets = append(p.Budgets, r.level())
			}
		case "quotes":
			for r.Enter('{'); r.More('}'); {
				if r.Key() == "samples" {
					p.LastPrice = r.newest()
				} else {
					r.Skip()
				}
			}
		default:
			r.Skip()
		}
	}
}

func (r *paymentReader) level() (level policy.Level) {
	for r.Enter('{'); r.More('}'); {
		switch r.Key() {
		case "used":
			level.Used = r.amount()
		case "limit":
			level.Limit = r.amount()
		default:
			r.Skip()
		}
	}
	return level
}

// newest reads the first of a list of samples.
func (r *paymentReader) newest() (amount uint64) {
	first := true
	for r.Enter('['); r.More(']'); first = false {
		if !first {
			r.Skip()
			continue
		}
		for r.Enter('{'); r.More('}'); {
			if r.Key() == "amount" {
				amount = r.amount()
			} else {
				r.Skip()
			}
		}
	}
	return amount
}

// Settings reads the policy's configuration.
func Settings(document string) (*policy.Settings, error) {
	s := &policy.Settings{}
	r := New(document)
	for r.Enter('{'); r.More('}'); {
		switch r.Key() {
		case "networks":
			s.Networks = r.set()
		case "assets":
			s.Assets = r.set()
		case "payees":
			s.Payees = r.set()
		case "amount_max":
			s.AmountMax = r.Uint()
		case "approval_above":
			s.ApprovalAbove = r.Uint()
		case "price_factor":
			s.PriceFactor = r.Uint()
		case "open_hour":
			s.OpenHour = r.Uint()
		case "close_hour":
			s.CloseHour = r.Uint()
		default:
			return nil, errDocument
		}
	}
	if r.Failed() {
		return nil, errDocument
	}
	return s, nil
}

func (r *Reader) set() map[string]struct{} {
	set := map[string]struct{}{}
	for r.Enter('['); r.More(']'); {
		set[r.Text()] = struct{}{}
	}
	return set
}

// AppendVerdict writes {"outcome":0,"codes":["…"]}; codes need no escapes.
func AppendVerdict(out []byte, v policy.Verdict) []byte {
	out = append(out, `{"outcome":`...)
	out = append(out, '0'+v.Outcome)
	out = append(out, `,"codes":[`...)
	for i, code := range v.Codes {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, '"')
		out = append(out, code...)
		out = append(out, '"')
	}
	return append(out, "]}"...)
}

// Verdict reads what AppendVerdict wrote.
func Verdict(document string) (v policy.Verdict, err error) {
	r := New(document)
	for r.Enter('{'); r.More('}'); {
		switch r.Key() {
		case "outcome":
			v.Outcome = uint8(min(r.Uint(), 255))
		case "codes":
			for r.Enter('['); r.More(']'); {
				v.Codes = append(v.Codes, r.Text())
			}
		default:
			return policy.Verdict{}, errDocument
		}
	}
	if r.Failed() || v.Outcome > policy.Allow {
		return policy.Verdict{}, errDocument
	}
	return v, nil
}

package runtime

import (
	"crypto/sha256"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/enrol"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/signer/request"
)

// checkSigned refuses an ask that is not the agent's own, before anything is recorded. ask is checked already.
func (r *Runtime) checkSigned(agent store.Agent, key string, ask Ask) error {
	intent := abi.Intent{
		Agent: agent.ID, Key: key, Method: ask.Resource.Method, URL: ask.Resource.URL, AmountMax: ask.AmountMax, Request: ask.Signed,
	}
	body := sha256.Sum256(ask.Resource.Body)
	intent.BodySHA256 = body[:]
	var err error
	if intent.Origin, err = request.Origin(ask.Resource.URL); err != nil {
		return err
	}
	_, err = enrol.Claim(agent, &intent, r.config.Now())
	return err
}

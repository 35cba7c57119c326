// Package enrol says how an operators' order changes what a side knows of an agent, and what an enrolled agent's claim
// has to prove. Runtime and co-signer use the same rules, each on its own registry. It refuses to take anybody's word:
// an order counts by its endorsements, a claim by the agent's own signature.
package enrol

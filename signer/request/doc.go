// Package request is what an agent signs with its own key when it asks for a payment: this method, URL and body, at most
// this amount, under this idempotency key, until then. Both sides of the signature verify it, so that no compromised
// runtime can ask in an agent's name; the package refuses a request that does not say exactly what the intent says. A
// signed request is no payment: whoever repeats it gets the same payment again.
package request

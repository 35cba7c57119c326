// Package x402 speaks x402 protocol version 2: its wire objects, the payer's
// two steps (fetch the offer, present the payment), a client for facilitators
// and net/http middleware for merchants. It refuses to sign, to hold keys and
// to talk to a chain: signatures come in as bytes and chain facts come from a
// facilitator.
//
// What a peer sends is decoded strictly. A key written twice, an amount that is
// not a plain decimal string, a header in another alphabet or a second header
// line is an error with a code, never a guess, because two parties that read one
// payment differently is how money is lost. Members nobody here knows are kept:
// every object carries the raw bytes it was read from, so that an echo is
// deep-equal to what the merchant sent.
//
// The specification is x402 version 2 (github.com/x402-foundation/x402, read at
// commit dd927a2) as the official packages 2.27.0 implement it. Where text and
// packages disagree the packages win on the wire.
package x402

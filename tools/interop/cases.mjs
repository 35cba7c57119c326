// Hostile payments, and what both sides answer to them. `verify` and `merchant` are the answers of the official
// packages 2.27 on this chain, measured again by every run; where purser differs on purpose, `purser` says how and why.
// "moved" means that the money arrived.
import { encode, highS, nonce, now } from "./forge.mjs";

const invalid = (reason) => ({ verify: `200 ${reason}`, merchant: `402 ${reason}` });
const prefix = "invalid_exact_evm_";
const badValue = invalid(`${prefix}payload_authorization_value_mismatch`);
const badSignature = invalid(`${prefix}signature`);
const paid = { verify: "200 valid", merchant: "200 moved" };
const noMatch = "402 No matching payment requirements";
const unread = { merchant: "402 Payment required" };
const simulation = invalid(`${prefix}transaction_simulation_failed`);

// The deliberate differences. Each makes purser refuse what the official packages accept, or say better why.
const differs = (verify, merchant, because) => ({ purser: { verify, merchant }, because });
const strictNumbers = differs("200 invalid_payload", "402 invalid_payload",
  "numbers are plain decimal strings: two readers of one payment must not find two amounts");
const signatureFirst = differs(badSignature.verify, badSignature.merchant,
  "only low s and v 27 or 28 is a signature: the token would refuse the others on chain");
const toldApart = (reason) => differs(`200 ${reason}`, `402 ${reason}`,
  "the official packages find the reason with Multicall3, which this chain lacks; purser reads the contract itself");
const anAnswer = (verify, merchant) => differs(verify, merchant, "a bad request is answered with a reason, never by an exception");

const signedAs = (change) => ({ authorization: (offer) => change(offer) });
const after = (change) => ({ payload: (p) => change(p.payload, p.payload.authorization) });
const echo = (change) => ({ payload: (p) => change(p.accepted) });
const header = (value) => ({ headers: (p) => ({ "PAYMENT-SIGNATURE": value(encode(p), p) }) });

export const cases = [
  { name: "control: a valid payment", ...paid },
  { name: "control: lower-case addresses", change: after((_, a) => { a.from = a.from.toLowerCase(); a.to = a.to.toLowerCase(); }), ...paid },

  { name: "amount: one unit short", change: signedAs((o) => ({ value: String(BigInt(o.amount) - 1n) })), ...badValue },
  { name: "amount: one unit over", change: signedAs((o) => ({ value: String(BigInt(o.amount) + 1n) })), ...badValue },
  { name: "amount: zero", change: signedAs(() => ({ value: "0" })), ...badValue },
  { name: "amount: the echo lowered to match", verify: badValue.verify, merchant: noMatch,
    change: { authorization: () => ({ value: "1" }), payload: (p) => { p.accepted.amount = "1"; } } },
  { name: "amount: a JSON number", change: after((_, a) => { a.value = Number(a.value); }), ...paid, ...strictNumbers },
  { name: "amount: hex", change: after((_, a) => { a.value = `0x${BigInt(a.value).toString(16)}`; }), ...paid, ...strictNumbers },
  { name: "amount: a leading zero", change: after((_, a) => { a.value = `0${a.value}`; }), ...paid, ...strictNumbers },
  { name: "amount: a decimal point", change: after((_, a) => { a.value = `${a.value}.0`; }), verify: "500", merchant: "402", ...strictNumbers },
  { name: "amount: negative", change: after((_, a) => { a.value = "-1"; }), ...badSignature, ...strictNumbers },
  { name: "amount: above uint256", change: after((_, a) => { a.value = String(1n << 256n); }), ...badSignature, ...strictNumbers },

  { name: "time: expired", change: signedAs(() => ({ validBefore: String(now() - 10) })), ...invalid(`${prefix}payload_authorization_valid_before`) },
  { name: "time: three seconds left", change: signedAs(() => ({ validBefore: String(now() + 3) })), ...invalid(`${prefix}payload_authorization_valid_before`) },
  { name: "time: not valid yet", change: signedAs(() => ({ validAfter: String(now() + 100) })), ...invalid(`${prefix}payload_authorization_valid_after`) },
  { name: "time: valid far beyond the offer's time", change: signedAs(() => ({ validBefore: String(now() + 10_000_000) })), ...paid, ...differs("200 valid", `402 ${prefix}payload_authorization_valid_before`,
      "a signature that outlives the request is a cheque on the payer's account") },

  { name: "payee: somebody else", change: signedAs(() => ({ to: "0x000000000000000000000000000000000000dEaD" })), ...invalid(`${prefix}recipient_mismatch`) },
  { name: "domain: wrong name", change: { domain: { name: "Not USDC" } }, ...badSignature },
  { name: "domain: wrong version", change: { domain: { version: "99" } }, ...badSignature },
  { name: "domain: wrong chain", change: { domain: { chainId: 1 } }, ...badSignature },
  { name: "domain: wrong contract", change: { domain: { verifyingContract: "0x000000000000000000000000000000000000dEaD" } }, ...badSignature },

  { name: "signature: another key's", change: { signer: { key: `0x${"22".repeat(32)}` } }, ...badSignature },
  { name: "signature: high s", change: after((p) => { p.signature = highS(p.signature); }), ...simulation, ...signatureFirst },
  { name: "signature: v is 0 or 1", change: after((p) => { p.signature = p.signature.slice(0, 130) + (p.signature.endsWith("1b") ? "00" : "01"); }),
    ...simulation, ...signatureFirst },
  { name: "signature: one byte cut off", change: after((p) => { p.signature = p.signature.slice(0, -2); }), ...badSignature },
  { name: "signature: no 0x", change: after((p) => { p.signature = p.signature.slice(2); }), ...badSignature },
  { name: "signature: all zero", change: after((p) => { p.signature = `0x${"00".repeat(65)}`; }), ...badSignature },
  { name: "signature: missing", change: after((p) => { delete p.signature; }), verify: "500", merchant: "402", ...anAnswer("200 invalid_payload", "402 invalid_payload") },

  { name: "payer: no tokens", poor: true, ...simulation, ...toldApart(`${prefix}insufficient_balance`) },
  { name: "nonce: 31 bytes", change: after((_, a) => { a.nonce = a.nonce.slice(0, -2); }), ...badSignature, ...strictNumbers },

  { name: "network: the echo names another chain", change: echo((a) => { a.network = "eip155:1"; }), verify: `200 ${prefix}network_mismatch`, merchant: noMatch },
  { name: "network: not supported", verify: "500",
    change: { payload: (p) => { p.accepted.network = "eip155:1"; }, requirements: (r) => { r.network = "eip155:1"; } }, ...anAnswer("200 invalid_network") },
  { name: "asset: the echo names another token", change: echo((a) => { a.asset = "0x000000000000000000000000000000000000dEaD"; }), merchant: noMatch },
  { name: "asset: an address without code", verify: "200 asset_not_deployed_contract", change: {
    domain: { verifyingContract: "0x000000000000000000000000000000000000dEaD" },
    payload: (p) => { p.accepted.asset = "0x000000000000000000000000000000000000dEaD"; },
    requirements: (r) => { r.asset = "0x000000000000000000000000000000000000dEaD"; } } },
  { name: "scheme: unknown", change: echo((a) => { a.scheme = "later"; }), verify: `200 ${prefix}scheme`, merchant: noMatch },
  { name: "requirements: no extra.name", change: { requirements: (r) => { delete r.extra.name; } }, verify: `200 ${prefix}missing_eip712_domain` },
  { name: "requirements: extra.name is not the token's", verify: simulation.verify, ...toldApart(`${prefix}token_name_mismatch`),
    change: { domain: { name: "Other" }, payload: (p) => { p.accepted.extra.name = "Other"; }, requirements: (r) => { r.extra.name = "Other"; } } },
  { name: "echo: missing", change: { payload: (p) => { delete p.accepted; } }, verify: "500", merchant: noMatch, ...anAnswer("200 invalid_payload", noMatch) },
  { name: "echo: an unknown member", change: echo((a) => { a.surprise = 1; }), verify: "200 valid", merchant: noMatch },
  { name: "echo: extra has more members", change: echo((a) => { a.extra.more = "1"; }), ...paid },
  { name: "echo: extra lost a member", change: echo((a) => { delete a.extra.version; }), verify: "200 valid", merchant: noMatch },
  { name: "echo: another maxTimeoutSeconds", change: echo((a) => { a.maxTimeoutSeconds += 1; }), verify: "200 valid", merchant: noMatch },
  { name: "resource: another URL", change: { payload: (p) => { p.resource.url = "http://elsewhere.example/"; } }, ...paid },
  { name: "version: 3", change: { payload: (p) => { p.x402Version = 3; } }, verify: "500", merchant: "402 Unsupported x402 version: 3", ...anAnswer("200 invalid_x402_version", "402 Unsupported x402 version: 3") },
  { name: "version: a string", change: { payload: (p) => { p.x402Version = "2"; } }, verify: "500", merchant: "402 Unsupported x402 version: 2", ...anAnswer("200 invalid_x402_version", "402 Unsupported x402 version: 2") },
  { name: "version: missing", change: { payload: (p) => { delete p.x402Version; } }, verify: "500", merchant: "402 Unsupported x402 version: undefined", ...anAnswer("200 invalid_x402_version", "402 Unsupported x402 version: undefined") },
  { name: "extensions: an echo of something not offered", change: { payload: (p) => { p.extensions = { surprise: { info: {}, schema: {} } }; } }, ...paid },

  { name: "header: none", change: { headers: () => ({ accept: "application/json" }) }, ...unread },
  { name: "header: empty", change: header(() => ""), ...unread },
  { name: "header: base64 cut in half", change: header((text) => text.slice(0, text.length / 2)), ...unread },
  { name: "header: base64 without padding", change: header((_, p) => padded(p).replace(/=+$/, "")), merchant: "200 moved" },
  { name: "header: base64url", change: header((_, p) => slashed(p).replace(/\+/g, "-").replace(/\//g, "_")), ...unread },
  { name: "header: illegal characters", change: header((text) => `${text.slice(0, 20)}!!!!${text.slice(20)}`), ...unread },
  { name: "header: base64 of no JSON", change: header(() => Buffer.from("not JSON").toString("base64")), ...unread },
  { name: "header: base64 of null", change: header(() => encode(null)), ...unread },
  { name: "header: base64 of an array", change: header(() => encode([])), merchant: "402 Unsupported x402 version: undefined" },
  { name: "header: base64 of a number", change: header(() => encode(7)), merchant: "402 Unsupported x402 version: undefined" },
  { name: "header: JSON, not base64", change: header((_, p) => JSON.stringify(p)), ...unread },
  { name: "header: 40 kB", change: header((_, p) => encode({ ...p, filling: "x".repeat(40_000) })), merchant: "431" },
  { name: "header: twice in one line", change: header((text) => `${text}, ${text}`), ...unread },
  { name: "header: two lines", change: header((text) => [text, text]), ...unread },
  { name: "header: under X-PAYMENT", change: { headers: (p) => ({ "X-PAYMENT": encode(p) }) }, ...unread },
];

// padded adds a member until the base64 text needs padding; slashed until it holds a character base64url spells otherwise.
function padded(p) {
  for (let filling = ""; ; filling += "x") {
    const text = encode({ ...p, extensions: { filling } });
    if (text.endsWith("=")) return text;
  }
}

function slashed(p) {
  for (let i = 0; ; i++) {
    const text = encode({ ...p, extensions: { filling: `?>?>${nonce()}` } });
    if (/[+/]/.test(text)) return text;
  }
}

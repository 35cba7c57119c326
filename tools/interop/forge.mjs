// Makes x402 payments that are wrong in one chosen way: a case changes the authorization before it is signed, the
// domain it is signed for, the payload after that, or the header it travels in.
import { request } from "node:http";
import { randomBytes } from "node:crypto";
import { privateKeyToAccount } from "viem/accounts";

const answerMillisecondsMax = 60_000;

const transferTypes = {
  TransferWithAuthorization: [
    { name: "from", type: "address" }, { name: "to", type: "address" }, { name: "value", type: "uint256" },
    { name: "validAfter", type: "uint256" }, { name: "validBefore", type: "uint256" }, { name: "nonce", type: "bytes32" },
  ],
};

export const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64");
export const decode = (header) => JSON.parse(Buffer.from(header, "base64").toString());
export const nonce = () => `0x${randomBytes(32).toString("hex")}`;
export const now = () => Math.floor(Date.now() / 1000);

// ask sends one request with headers exactly as given; an array becomes several header lines.
export function ask(url, { method = "GET", headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const call = request(url, { method, headers, timeout: answerMillisecondsMax }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks).toString() }));
      response.on("error", reject);
    });
    call.on("error", reject);
    call.on("timeout", () => call.destroy(new Error(`${url}: no answer in time`)));
    call.end(body);
  });
}

// offerOf reads the one offer of a merchant's 402.
export async function offerOf(merchant) {
  const answer = await ask(merchant.url);
  const required = decode(answer.headers["payment-required"]);
  return { required, offer: required.accepts[0] };
}

// pay makes the payment of a case for one merchant: what to send to the merchant, and the same for its facilitator.
export async function pay(world, buyer, { required, offer }, change = {}) {
  const authorization = {
    from: buyer.address, to: offer.payTo, value: offer.amount, validAfter: "0",
    validBefore: String(now() + offer.maxTimeoutSeconds), nonce: nonce(),
    ...change.authorization?.(offer),
  };
  const domain = {
    name: offer.extra.name, version: offer.extra.version, chainId: Number(offer.network.split(":")[1]), verifyingContract: offer.asset,
    ...change.domain,
  };
  const signer = privateKeyToAccount(change.signer?.key ?? buyer.key);
  let signature;
  try {
    signature = await signer.signTypedData({
      domain, types: transferTypes, primaryType: "TransferWithAuthorization",
      message: { ...authorization, value: BigInt(authorization.value), validAfter: BigInt(authorization.validAfter), validBefore: BigInt(authorization.validBefore) },
    });
  } catch {
    // What no honest client can sign, such as an amount of -1, still reaches a server: with somebody's signature.
    signature = `0x${"11".repeat(64)}1b`;
  }
  const payload = {
    x402Version: 2,
    payload: { signature, authorization },
    resource: required.resource,
    accepted: structuredClone(offer),
  };
  change.payload?.(payload);
  const requirements = structuredClone(offer);
  change.requirements?.(requirements);
  const envelope = { x402Version: payload.x402Version, paymentPayload: payload, paymentRequirements: requirements };
  return { payload, envelope, headers: change.headers?.(payload) ?? { "PAYMENT-SIGNATURE": encode(payload) } };
}

const curveOrder = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

// highS is the other signature of the same key and digest.
export function highS(signature) {
  const r = signature.slice(2, 66);
  const s = (curveOrder - BigInt(`0x${signature.slice(66, 130)}`)).toString(16).padStart(64, "0");
  return `0x${r}${s}${signature.slice(130) === "1b" ? "1c" : "1b"}`;
}

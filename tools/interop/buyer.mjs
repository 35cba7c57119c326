// The official x402 fetch buyer: pays one URL and prints what it got as one line of JSON.
//
//   BUYER_KEY=0x… node buyer.mjs --network eip155:402402 --asset 0x… URL
import { ExactEvmScheme } from "@x402/evm";
import { decodePaymentResponseHeader, wrapFetchWithPaymentFromConfig } from "@x402/fetch";
import { parseArgs } from "node:util";
import { privateKeyToAccount } from "viem/accounts";

const { values: flags, positionals } = parseArgs({
  options: { network: { type: "string" }, asset: { type: "string" } },
  allowPositionals: true,
});

const pay = wrapFetchWithPaymentFromConfig(fetch, {
  schemes: [{ network: flags.network, client: new ExactEvmScheme(privateKeyToAccount(process.env.BUYER_KEY)) }],
  // A test token is nobody's default asset, so the buyer has to name it.
  spendControls: { allowedAssets: [{ network: flags.network, asset: flags.asset }] },
});

const response = await pay(positionals[0]);
const receipt = response.headers.get("PAYMENT-RESPONSE");
console.log(
  JSON.stringify({
    status: response.status,
    body: await response.text(),
    receipt: receipt === null ? null : decodePaymentResponseHeader(receipt),
  }),
);

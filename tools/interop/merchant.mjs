// The official x402 express merchant on the development chain.
//
//   node merchant.mjs --rpc URL --network eip155:402402 --asset 0x… --facilitator URL --pay-to 0x… [--amount 10000] [--port 0]
import { HTTPFacilitatorClient } from "@x402/core/server";
import { ExactEvmScheme } from "@x402/evm/exact/server";
import { paymentMiddleware, x402ResourceServer } from "@x402/express";
import express from "express";
import { parseArgs } from "node:util";
import { reader, token } from "./chain.mjs";
import { serve } from "./service.mjs";

const { values: flags } = parseArgs({
  options: {
    rpc: { type: "string" },
    network: { type: "string" },
    asset: { type: "string" },
    facilitator: { type: "string" },
    "pay-to": { type: "string" },
    amount: { type: "string", default: "10000" },
    port: { type: "string", default: "0" },
  },
});

const { name, version } = await token(reader(flags.rpc, flags.network), flags.asset);
const server = new x402ResourceServer(new HTTPFacilitatorClient({ url: flags.facilitator })).register(
  flags.network,
  new ExactEvmScheme(),
);

const app = express();
app.use(
  paymentMiddleware(
    {
      "GET /paid": {
        accepts: {
          scheme: "exact",
          network: flags.network,
          payTo: flags["pay-to"],
          maxTimeoutSeconds: 60,
          price: { amount: flags.amount, asset: flags.asset, extra: { name, version } },
        },
        description: "official report",
        mimeType: "application/json",
      },
    },
    server,
  ),
);
let sold = 0;
app.get("/paid", (_, response) => response.json({ report: "sold by the official merchant", handlerRuns: ++sold }));

serve(app, Number(flags.port), { ready: "official merchant" });

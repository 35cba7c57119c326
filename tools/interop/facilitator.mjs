// The official x402 facilitator on the development chain.
//
//   RELAYER_KEY=0x… node facilitator.mjs --rpc URL --network eip155:402402 [--port 0]
import { x402Facilitator } from "@x402/core/facilitator";
import { toFacilitatorEvmSigner } from "@x402/evm";
import { ExactEvmScheme } from "@x402/evm/exact/facilitator";
import express from "express";
import { parseArgs } from "node:util";
import { writer } from "./chain.mjs";
import { serve } from "./service.mjs";

const { values: flags } = parseArgs({
  options: { rpc: { type: "string" }, network: { type: "string" }, port: { type: "string", default: "0" } },
});

const wallet = writer(flags.rpc, flags.network, process.env.RELAYER_KEY);
const signer = toFacilitatorEvmSigner(Object.assign(wallet, { address: wallet.account.address }));
const facilitator = new x402Facilitator().register(flags.network, new ExactEvmScheme(signer));

const app = express();
app.use(express.json());

// The packages bring no HTTP server for a facilitator; this is the one of their documentation.
for (const step of ["verify", "settle"]) {
  app.post(`/${step}`, async (request, response) => {
    const { paymentPayload, paymentRequirements } = request.body ?? {};
    if (!paymentPayload || !paymentRequirements) {
      return response.status(400).json({ error: "Missing paymentPayload or paymentRequirements" });
    }
    try {
      response.json(await facilitator[step](paymentPayload, paymentRequirements));
    } catch (error) {
      response.status(500).json({ error: error.message });
    }
  });
}
app.get("/supported", (_, response) => response.json(facilitator.getSupported()));

serve(app, Number(flags.port), { ready: "official facilitator", relayer: wallet.account.address });

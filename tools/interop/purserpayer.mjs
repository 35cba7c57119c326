// A purser runtime with the demo wallet and one agent, whose policy pins the merchants of a test. The wallet signs by
// MPC between the runtime and the co-signer, as in production.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { purser } from "./world.mjs";

const walletTokens = 10_000_000n;

export class PurserPayer {
  static async open(world, merchants) {
    const payer = new PurserPayer();
    payer.world = world;
    payer.folder = join(world.folder, "runtime");
    mkdirSync(payer.folder, { mode: 0o700 });
    writeFileSync(join(payer.folder, "policy.yaml"), policy(world, merchants));
    writeFileSync(join(payer.folder, "purser.yaml"), config(world));
    const ready = await world.start("serve", "--json", "--config", join(payer.folder, "purser.yaml"));
    payer.reach = ["--server", ready.url, "--data", ready.data];
    const agent = await payer.#json(["agent", "create", "interop", ...payer.reach]);
    payer.reach = ["--server", ready.url, "--token-file", agent.token_file];
    payer.address = (await payer.#json(["wallet", "show"])).address;
    await world.fund(payer.address, walletTokens);
    return payer;
  }

  // pay buys one URL and returns the payment as the runtime shows it, and the exit code of purser pay.
  async pay(url, key) {
    const { code, stdout, stderr } = await this.world.run(purser, ["pay", url, "--json", "--max", "0.05",
      "--idempotency-key", key, ...this.reach]);
    if (stdout === "") throw new Error(`purser pay ${url} ended with ${code}: ${stderr}`);
    return { code, payment: JSON.parse(stdout) };
  }

  async #json(args) {
    const { code, stdout, stderr } = await this.world.run(purser, [...args, "--json"]);
    if (code !== 0) throw new Error(`purser ${args.join(" ")} ended with ${code}: ${stderr}`);
    return JSON.parse(stdout);
  }
}

function config(world) {
  return `version: 1
listen: 127.0.0.1:0
data: data
policy: policy.yaml
cosigner: in-process
chains:
  - {network: "${world.chain.network}", rpc: "${world.chain.rpc}"}
`;
}

function policy(world, merchants) {
  const pins = merchants.map(({ origin, payTo }) => `  - origin: ${origin}\n    pay_to: ["${payTo}"]\n`).join("");
  return `version: 1
merchants:
${pins}assets:
  - asset: "${world.chain.network}/erc20:${world.chain.asset}"
    symbol: USDC
    unit: usdc
    decimals: 6
    name: ${world.token.name}
    version: "${world.token.version}"
tenant:
  max_transaction_usdc: "1"
  daily_spending_limit: "5"
agents:
  interop: {policy: interop}
policies:
  interop:
    max_transaction_usdc: "0.05"
    daily_spending_limit: "1"
    max_transactions_per_hour: 100
`;
}

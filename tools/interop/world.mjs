// The world of the tests: one development chain, a purser facilitator and the official one with a relayer each, and
// any number of merchants of both kinds. Everything listens on loopback and lives in one temporary folder.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { balance, fund, reader, token } from "./chain.mjs";
import { Processes } from "./processes.mjs";

export const here = dirname(fileURLToPath(import.meta.url));
export const purser = process.env.PURSER ?? join(here, "../../bin/purser");

const relayerWei = 5n * 10n ** 18n;
export const price = 10_000n; // 0.01 test USDC in smallest units

export class World {
  #processes = new Processes();
  #merchants = 0;

  static async open() {
    if (!existsSync(purser)) throw new Error(`${purser} is missing: run make build, or name it with PURSER`);
    const world = new World();
    world.folder = mkdtempSync(join(tmpdir(), "purser-interop-"));
    try {
      await world.#start();
    } catch (error) {
      await world.close();
      throw error;
    }
    return world;
  }

  async #start() {
    this.chain = await this.#processes.start(purser, ["devchain", "--json", "--listen", "127.0.0.1:0"]);
    this.reader = reader(this.chain.rpc, this.chain.network);
    this.token = await token(this.reader, this.chain.asset);
    // Two processes that send from one account would take each other's nonces.
    const official = await this.account({ wei: relayerWei });
    this.facilitators = {
      purser: await this.#purserFacilitator(),
      official: await this.script("facilitator.mjs", ["--rpc", this.chain.rpc, "--network", this.chain.network], {
        RELAYER_KEY: official.key,
      }),
    };
  }

  async #purserFacilitator() {
    const keyFile = join(this.folder, "relayer.key");
    writeFileSync(keyFile, this.chain.relayer_key, { mode: 0o600 });
    return this.#processes.start(purser, ["facilitator", "--json", "--rpc", this.chain.rpc, "--key-file", keyFile,
      "--listen", "127.0.0.1:0", "--network", this.chain.network, "--asset", this.chain.asset,
      "--data", join(this.folder, "facilitator")]);
  }

  // account makes a key with tokens and wei from the faucet.
  async account({ tokens = 0n, wei = 0n } = {}) {
    const key = generatePrivateKey();
    const address = privateKeyToAccount(key).address;
    if (tokens > 0n || wei > 0n) await this.fund(address, tokens, wei);
    return { key, address };
  }

  fund(address, tokens, wei = 0n) {
    return fund(this.reader, address, tokens, wei);
  }

  // merchant starts a paid API of a kind, in front of the facilitator of a kind, with a payee of its own.
  async merchant(kind, facilitator) {
    const { address: payTo } = await this.account();
    const url = this.facilitators[facilitator].url;
    if (kind === "official") {
      const ready = await this.script("merchant.mjs", ["--rpc", this.chain.rpc, "--network", this.chain.network,
        "--asset", this.chain.asset, "--facilitator", url, "--pay-to", payTo, "--amount", String(price)]);
      return { kind, facilitator, payTo, origin: ready.url, url: `${ready.url}/paid` };
    }
    const ready = await this.#processes.start(purser, ["merchant", "--json", "--rpc", this.chain.rpc,
      "--facilitator", url, "--pay-to", payTo, "--price", "0.01", "--network", this.chain.network,
      "--asset", this.chain.asset, "--path", "/paid", "--listen", "127.0.0.1:0",
      "--data", join(this.folder, `merchant-${++this.#merchants}`)]);
    return { kind, facilitator, payTo, origin: new URL(ready.url).origin, url: ready.url };
  }

  script(name, args, env) {
    return this.#processes.start(process.execPath, [join(here, name), ...args], env);
  }

  start(...args) {
    return this.#processes.start(purser, args);
  }

  run(command, args, env) {
    return this.#processes.run(command, args, env);
  }

  balance(account) {
    return balance(this.reader, this.chain.asset, account);
  }

  async close() {
    await this.#processes.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

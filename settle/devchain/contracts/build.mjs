// Compiles the contracts of the embedded chain into artefacts that Go embeds.
//
//   npm ci && node build.mjs           writes artifacts/*.json
//   npm ci && node build.mjs --check   fails when a committed artefact is not what the source compiles to
//
// Without metadata in the bytecode and with every setting fixed here, two builds are byte-identical.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import solc from "solc";

const here = dirname(fileURLToPath(import.meta.url));
const compilerVersion = "0.8.37";
// Contract -> whether the genesis block holds its runtime code (then it must have no constructor and no immutables).
const contracts = { TestUSDC: { genesis: true }, GasPriceOracle: { genesis: true }, OwnedWallet: { genesis: false } };

function compile() {
  if (!solc.version().startsWith(compilerVersion + "+")) {
    throw new Error(`want solc ${compilerVersion}, node_modules holds ${solc.version()}: run npm ci`);
  }
  const sources = {};
  for (const name of Object.keys(contracts)) {
    sources[`${name}.sol`] = { content: readFileSync(join(here, `${name}.sol`), "utf8") };
  }
  const output = JSON.parse(
    solc.compile(
      JSON.stringify({
        language: "Solidity",
        sources,
        settings: {
          viaIR: true,
          evmVersion: "cancun",
          optimizer: { enabled: true, runs: 1_000_000 },
          metadata: { appendCBOR: false, bytecodeHash: "none" },
          outputSelection: {
            "*": {
              "*": ["abi", "storageLayout", "evm.bytecode.object", "evm.deployedBytecode.object",
                "evm.deployedBytecode.immutableReferences"],
            },
          },
        },
      }),
    ),
  );
  const complaints = (output.errors ?? []).map((e) => e.formattedMessage);
  if (complaints.length > 0) throw new Error(complaints.join("\n"));
  return output.contracts;
}

function artefact(name, compiled) {
  const { abi, evm, storageLayout } = compiled[`${name}.sol`][name];
  if (contracts[name].genesis) {
    if (Object.keys(evm.deployedBytecode.immutableReferences ?? {}).length > 0) {
      throw new Error(`${name}: immutables would be zero in the genesis block`);
    }
    if (abi.some((entry) => entry.type === "constructor")) {
      throw new Error(`${name}: a constructor would not run in the genesis block`);
    }
  }
  const slots = {};
  for (const v of storageLayout.storage ?? []) slots[v.label] = { slot: Number(v.slot), offset: v.offset };
  return JSON.stringify(
    {
      contract: name,
      compiler: `solc ${compilerVersion}, via IR, cancun, 1000000 runs, no metadata`,
      slots,
      creation: "0x" + evm.bytecode.object,
      runtime: "0x" + evm.deployedBytecode.object,
      abi,
    },
    null,
    1,
  ) + "\n";
}

const check = process.argv.slice(2).includes("--check");
const compiled = compile();
mkdirSync(join(here, "artifacts"), { recursive: true });
let stale = 0;
for (const name of Object.keys(contracts)) {
  const path = join(here, "artifacts", `${name.toLowerCase()}.json`);
  const fresh = artefact(name, compiled);
  if (!check) {
    writeFileSync(path, fresh);
    console.log(`${path}: ${fresh.length} bytes`);
  } else if (!existsSync(path) || readFileSync(path, "utf8") !== fresh) {
    console.error(`${path}: not what ${name}.sol compiles to; run node build.mjs and commit the result`);
    stale++;
  }
}
if (stale > 0) process.exit(1);
if (check) console.log("artefacts are what the sources compile to");

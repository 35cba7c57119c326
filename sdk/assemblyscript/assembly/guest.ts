// Moves bytes between a plugin and its host, and refuses every address that it did not hand out itself.

import "./abort";
import { Config } from "./config";
import { ConfigureRequest, ConfigureResult } from "./messages";
import { noBytes } from "./wire";

/** The minor version of ABI 1 that this SDK was built for. */
const minor = 0;

/** The most the host ever sends: a chain adapter's request. */
const inputBytesMax: u32 = 1 << 20;

/** What every plugin can do: read its settings. */
export abstract class Plugin {
  /** Reads the settings, once, before any other call. Settings that it does not read refuse the configuration. */
  configure(config: Config): void {}
}

let plugin: Plugin | null = null;
let input: Uint8Array = noBytes;

/** Keeps the plugin. A module is one plugin: a second one traps, which the host sees as a module that cannot start. */
export function keep(only: Plugin): void {
  if (plugin !== null) unreachable();
  plugin = only;
}

/** The request that lies where alloc said, null for any other address. An empty one lies nowhere. */
export function received(at: usize, size: u32): Uint8Array | null {
  if (size == 0) return noBytes;
  if (at != input.dataStart || size > <u32>input.length) return null;
  return input.subarray(0, size);
}

/** Address and length of a result in one number, 0 for failure. The address of an empty result is not 0. */
export function answer(result: Uint8Array | null): u64 {
  if (result === null) return 0;
  return ((<u64>result.dataStart) << 32) | <u64>result.length;
}

export function purser_abi_1(): u32 {
  return minor;
}

export function purser_alloc(size: u32): usize {
  if (size > inputBytesMax) return 0;
  input = new Uint8Array(size == 0 ? 1 : size); // never 0 bytes: their address would not be ours
  return input.dataStart;
}

export function purser_configure(at: usize, size: u32): u64 {
  const bytes = received(at, size);
  if (bytes === null) return 0;
  const request = ConfigureRequest.decode(bytes);
  return request === null ? 0 : answer(configure(request).encode());
}

function configure(request: ConfigureRequest): ConfigureResult {
  const config = new Config(request.entries);
  const registered = plugin;
  if (registered === null) {
    config.problem("", "the module registered no plugin");
  } else {
    registered.configure(config);
  }
  return config.result();
}

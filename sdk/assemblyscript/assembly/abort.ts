import { log } from "./log";

/** What is logged of a longer message, in UTF-16 units, so that it fits the host's limit of a call's log. */
const messageUnitsMax = 1024;

/**
 * Takes the place of the compiler's abort, which would be an import that no host has: failed assertions, indexes out of
 * range and thrown errors end the call as a trap, and the host denies. The host sees only the trap, so the log says why.
 */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  const text = message === null ? "abort" : message.substr(0, messageUnitsMax);
  const where = file === null ? "" : " (" + file + ":" + decimal(line) + ")";
  log.error("abort: " + text + where);
  unreachable();
}

// The compiler's own toString brings 2 KB of tables.
function decimal(number: u32): string {
  let digits = "";
  do {
    digits = String.fromCharCode(0x30 + (number % 10)) + digits;
    number /= 10;
  } while (number > 0);
  return digits;
}

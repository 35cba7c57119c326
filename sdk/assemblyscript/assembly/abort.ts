/**
 * Takes the place of the compiler's abort, which would be an import that no host has: failed assertions, indexes out of
 * range and thrown errors end the call as a trap, and the host denies.
 */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  unreachable();
}

import { encodeUTF8, utf8Length } from "./utf8";

// Only a module that logs imports this.
@external("purser_host_1", "log")
declare function hostLog(level: i32, address: usize, length: i32): void;

/**
 * Lines for an operator who looks for a fault. The host caps them, and nothing in them is ever part of a result. A text
 * with half a surrogate pair has no UTF-8 and is left out.
 */
export namespace log {
  /** What only the plugin's author wants to see. */
  export function debug(text: string): void {
    write(0, text);
  }

  /** What an operator may want to see. */
  export function info(text: string): void {
    write(1, text);
  }

  /** What an operator should look at. */
  export function warn(text: string): void {
    write(2, text);
  }

  /** What went wrong. */
  export function error(text: string): void {
    write(3, text);
  }
}

function write(level: i32, text: string): void {
  const size = utf8Length(text);
  if (size <= 0) return;
  const line = new Uint8Array(size);
  encodeUTF8(text, size, line.dataStart);
  hostLog(level, line.dataStart, size);
}

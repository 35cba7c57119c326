import { Amount } from "./amount";
import { ConfigProblem, ConfigureResult, JSONEntry } from "./messages";

/** How many problems one report holds, as the host reads no more. */
const problemsMax = 64;

/**
 * A plugin's settings, read by JSON pointer from the entries that the host flattened, so that a plugin needs no JSON
 * parser. It refuses silence: a missing or mistyped setting, and every setting that the plugin never asked for, is
 * reported with its pointer. A misspelled limit is no limit.
 */
export class Config {
  private readonly seen: StaticArray<bool>; // by entry
  private readonly problems: ConfigProblem[] = [];

  constructor(private readonly entries: JSONEntry[]) {
    this.seen = new StaticArray<bool>(entries.length);
  }

  /** Reports a fault of the setting at pointer, in a sentence without a full stop. Any problem refuses the settings. */
  problem(pointer: string, message: string): void {
    if (this.problems.length >= problemsMax) return;
    const problem = new ConfigProblem();
    problem.pointer = pointer;
    problem.message = message;
    this.problems.push(problem);
  }

  /** Whether there is a setting at pointer, of any type but null. */
  has(pointer: string): bool {
    const i = this.find(pointer);
    return i >= 0 && this.entries[i].type != "null";
  }

  /** A string that must be there. */
  text(pointer: string): string {
    const i = this.typed(pointer, "string");
    return i < 0 ? "" : this.entries[i].text;
  }

  /** true or false, which must be there. */
  flag(pointer: string): bool {
    const i = this.typed(pointer, "bool");
    return i >= 0 && this.entries[i].text == "true";
  }

  /** A whole number from 0 to 2^53-1 that must be there. */
  uint(pointer: string): u64 {
    const i = this.typed(pointer, "number");
    if (i < 0) return 0;
    const amount = Amount.parse(this.entries[i].text);
    if (amount && amount.fitsU64()) return amount.toU64();
    this.problem(pointer, "must not be negative");
    return 0;
  }

  /** An amount that must be there: decimal digits in a string, in the asset's smallest unit. */
  amount(pointer: string): Amount {
    const i = this.typed(pointer, "string");
    if (i < 0) return Amount.zero;
    const amount = Amount.parse(this.entries[i].text);
    if (amount) return amount;
    this.problem(pointer, "amount is not a plain decimal integer below 2^256 without leading zeros");
    return Amount.zero;
  }

  /** The number of elements of the array at pointer, which must be there. They are at pointer + "/0" and so on. */
  count(pointer: string): i32 {
    if (this.typed(pointer, "array") < 0) return 0;
    let elements = 0;
    while (this.find(pointer + "/" + elements.toString()) >= 0) elements++;
    return elements;
  }

  /** An array of strings that must be there; it may be empty. */
  texts(pointer: string): string[] {
    const texts: string[] = [];
    const list = this.typed(pointer, "array");
    if (list < 0) return texts;
    // The entries of an array follow it directly: one pass instead of a search each.
    for (let i = list + 1; i < this.entries.length && this.entries[i].pointer.startsWith(pointer + "/"); i++) {
      const entry = this.entries[i];
      this.seen[i] = true;
      if (entry.type == "string") {
        texts.push(entry.text);
      } else {
        this.problem(entry.pointer, "must be a string");
      }
    }
    return texts;
  }

  /** Marks a setting, and all below it, as known although it is not read. */
  ignore(pointer: string): void {
    for (let i = 0; i < this.entries.length; i++) {
      const at = this.entries[i].pointer;
      if (at == pointer || at.startsWith(pointer + "/")) this.seen[i] = true;
    }
  }

  /** All problems, one for each setting that was never read among them. */
  result(): ConfigureResult {
    for (let i = 0; i < this.entries.length; i++) {
      const entry = this.entries[i];
      if (!this.seen[i] && entry.type != "object" && entry.type != "array") {
        this.problem(entry.pointer, "is not a setting of this plugin");
      }
    }
    const result = new ConfigureResult();
    result.ok = this.problems.length == 0;
    result.problems = this.problems;
    return result;
  }

  private find(pointer: string): i32 {
    for (let i = 0; i < this.entries.length; i++) {
      if (this.entries[i].pointer == pointer) return i;
    }
    return -1;
  }

  // typed finds a setting that must be there with the given JSON type.
  private typed(pointer: string, type: string): i32 {
    const i = this.find(pointer);
    if (i < 0) {
      this.problem(pointer, "is missing");
      return -1;
    }
    this.seen[i] = true;
    if (this.entries[i].type == type) return i;
    this.problem(pointer, "must be of type " + type);
    return -1;
  }
}

/** How far a pipe came: which lines of the input were read, and what became of them. */

/** Counts lines; numbers begin with 1. */
export class Tally {
  /** What a line is called: `line`, or `value` for arguments. */
  readonly noun: "line" | "value";
  /** Lines without an outcome, in the order of the input. */
  readonly #open = new Set<number>();
  #read = 0;
  #chosen = 0;
  #failed = 0;

  constructor(noun: "line" | "value") {
    this.noun = noun;
  }

  get read(): number {
    return this.#read;
  }

  get chosen(): number {
    return this.#chosen;
  }

  get failed(): number {
    return this.#failed;
  }

  /** Lines that were proposed and have no outcome. */
  get open(): number {
    return this.#open.size;
  }

  /** Notes a line that was read. */
  begin(number: number): void {
    this.#read = number;
    this.#open.add(number);
  }

  /** Notes the outcome of a line. */
  end(number: number, isChosen: boolean): void {
    if (!this.#open.delete(number)) return;
    if (isChosen) this.#chosen += 1;
    else this.#failed += 1;
  }

  /** `9 lines chosen; 2 more may be, from line 11 on; 12 lines were read, and none behind` */
  sentence(): string {
    const [first] = this.#open;
    const parts = [`${count(this.#chosen, this.noun)} chosen`];
    if (this.#failed > 0) parts.push(`${this.#failed.toLocaleString("en")} not`);
    if (first !== undefined) {
      const from = `from ${this.noun} ${first.toLocaleString("en")} on`;
      parts.push(`${this.open.toLocaleString("en")} more may be, ${from}`);
    }
    const were = this.#read === 1 ? "was" : "were";
    return `${parts.join("; ")}; ${count(this.#read, this.noun)} ${were} read, and none behind`;
  }
}

/** `1 line`, `1,024 lines` */
export function count(number: number, noun: string): string {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

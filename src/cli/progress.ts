/** A progress bar on a terminal; nothing in a pipe. */
import { fstatSync } from "node:fs";

const barColumns = 24;
const redrawMs = 100;

/** Shows how far the input is. */
export class Progress {
  readonly #isShown: boolean;
  /** Bytes of the input if it is a file. */
  readonly #total: number | undefined;
  #drawnMs = 0;

  constructor() {
    this.#isShown = process.stderr.isTTY === true && process.stdout.isTTY !== true;
    this.#total = sizeOfInput();
  }

  /** Draws now and then. @param bytes of input whose lines are chosen */
  show(lines: number, bytes: number): void {
    if (!this.#isShown || performance.now() - this.#drawnMs < redrawMs) return;
    this.#drawnMs = performance.now();
    process.stderr.write(`\r${this.#text(lines, bytes)}`);
  }

  /** Takes the bar away. */
  clear(): void {
    if (this.#isShown) process.stderr.write("\r\u001b[K");
  }

  #text(lines: number, bytes: number): string {
    const count = `${lines.toLocaleString("en")} lines chosen`;
    if (this.#total === undefined || this.#total === 0) return count;
    const part = Math.min(1, bytes / this.#total);
    const full = Math.round(part * barColumns);
    const bar = "#".repeat(full) + "-".repeat(barColumns - full);
    return `[${bar}] ${Math.floor(part * 100)} %, ${count}`;
  }
}

function sizeOfInput(): number | undefined {
  try {
    const stats = fstatSync(0);
    return stats.isFile() ? stats.size : undefined;
  } catch {
    return undefined;
  }
}

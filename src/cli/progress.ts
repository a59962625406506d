/** A progress bar on a terminal; nothing in a pipe. */
import { fstatSync } from "node:fs";

const barColumns = 24;
const redrawMs = 100;

/** A line that is drawn again and again on standard error; the results must not share it. */
export class Bar {
  readonly #isShown: boolean;
  #drawnMs = 0;

  /** @param isShown whether there is a terminal, and nothing else is written to it meanwhile */
  constructor(isShown = process.stderr.isTTY === true) {
    this.#isShown = isShown;
  }

  /** Draws now and then. @param part done, 0 … 1; null if nobody knows */
  draw(part: number | null, text: string): void {
    if (!this.#isShown || performance.now() - this.#drawnMs < redrawMs) return;
    this.#drawnMs = performance.now();
    process.stderr.write(`\r${barText(part, text)}\u001b[K`);
  }

  /** Takes the bar away. */
  clear(): void {
    if (this.#isShown) process.stderr.write("\r\u001b[K");
  }
}

function barText(part: number | null, text: string): string {
  if (part === null) return text;
  const done = Math.min(1, part);
  const full = Math.round(done * barColumns);
  const bar = "#".repeat(full) + "-".repeat(barColumns - full);
  return `[${bar}] ${Math.floor(done * 100)} %, ${text}`;
}

/** Shows how far the input is. */
export class Progress {
  readonly #bar = new Bar(process.stderr.isTTY === true && process.stdout.isTTY !== true);
  /** Bytes of the input if it is a file. */
  readonly #total: number | undefined;

  constructor() {
    this.#total = sizeOfInput();
  }

  /** Draws now and then. @param bytes of input whose lines are chosen */
  show(lines: number, bytes: number): void {
    const total = this.#total;
    const isKnown = total !== undefined && total !== 0;
    this.#bar.draw(isKnown ? bytes / total : null, `${lines.toLocaleString("en")} lines chosen`);
  }

  /** Takes the bar away. */
  clear(): void {
    this.#bar.clear();
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

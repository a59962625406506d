/**
 * The lines of `up`: what comes on standard input is proposed, what is chosen is printed.
 *
 * What is printed comes from the learners, in the order of the log: a line that shows is chosen.
 */

import type { Receipt } from "../client/session.js";
import type { ChosenEvent } from "../client/synod.js";
import type { OpenClient } from "./client.js";
import { type Line, readLines, writeLine } from "./lines.js";
import { Progress } from "./progress.js";
import { say } from "./terminal.js";
import { chosenText, type Printing, readValue } from "./value.js";

/** Lines proposed and not chosen yet, at most; and their bytes. */
const openLinesMax = 8192;
const openBytesMax = 8 * 1024 * 1024;
/** A line is proposed until it is chosen or the cluster is stopped. */
const patience = { timeoutMs: Number.MAX_SAFE_INTEGER };

/** A line under way. */
interface Open {
  readonly line: Line;
  readonly receipt: Promise<Receipt | undefined>;
}

/** Proposes every line, prints whatever is chosen after a position, until `signal`. */
export async function shareInput(
  client: OpenClient,
  after: number,
  printing: Printing,
  signal: AbortSignal,
): Promise<void> {
  const proposals = new Proposals(client);
  const feed = async () => {
    for await (const entry of client.synod.chosen({ after, signal })) {
      await writeLine(chosenText(entry, printing));
    }
  };
  const propose = async () => {
    await proposals.run();
    say("synod: the input has ended; the cluster goes on until Ctrl-C");
  };
  await Promise.all([feed(), Promise.race([propose(), aborted(signal)])]);
}

/** How `up --exit` went. */
export interface InputSummary {
  readonly lines: number;
  readonly failed: number;
  readonly first: number | undefined;
  readonly last: number | undefined;
  readonly ms: number;
}

/** Proposes every line and prints each once it is chosen; ends with the input. */
export async function runInput(
  client: OpenClient,
  after: number,
  printing: Printing,
): Promise<InputSummary> {
  const startMs = performance.now();
  const proposals = new Proposals(client);
  const progress = new Progress();
  const feed = client.synod.chosen({ after });
  let [lines, failed] = [0, 0];
  let first: number | undefined;
  let last: number | undefined;
  const reading = proposals.run();
  for (;;) {
    const open = await proposals.next();
    if (open === undefined) break;
    const receipt = await open.receipt;
    if (receipt === undefined) {
      failed += 1;
      continue;
    }
    const entry = await entryAt(feed, receipt.position, last);
    first ??= receipt.position;
    last = Math.max(last ?? 0, receipt.position);
    if (entry !== undefined) {
      await writeLine(chosenText(entry, printing), printing !== "lines" || open.line.hasBreak);
      lines += 1;
    }
    progress.show(lines, open.line.end);
  }
  progress.clear();
  await reading;
  await feed.return?.();
  return { lines, failed, first, last, ms: performance.now() - startMs };
}

/** Goes on in the feed to a position; entries before it are of others. */
async function entryAt(
  feed: AsyncIterator<ChosenEvent, undefined>,
  position: number,
  last: number | undefined,
): Promise<ChosenEvent | undefined> {
  if (last !== undefined && position <= last) return undefined;
  for (;;) {
    const { done, value } = await feed.next();
    if (done === true) return undefined;
    if (value.position >= position) return value;
  }
}

/** Proposes lines in order, a bounded number at once, and hands them on in that order. */
class Proposals {
  readonly #client: OpenClient;
  readonly #open: Open[] = [];
  #openBytes = 0;
  #isOver = false;
  #wakeReader = () => {};
  #wakeProposer = () => {};
  #count = 0;
  #isTaken = false;

  constructor(client: OpenClient) {
    this.#client = client;
  }

  /** Proposes until the input ends. */
  async run(): Promise<void> {
    const { synod } = this.#client;
    const lines = readLines(process.stdin, synod.cluster.limits.valueBytesMax);
    for await (const line of lines) {
      this.#count += 1;
      while (this.#isFull()) {
        await new Promise<void>((resolve) => {
          this.#wakeProposer = resolve;
        });
      }
      this.#propose(line, this.#count);
    }
    this.#isOver = true;
    this.#wakeReader();
  }

  /** Returns the next line in order; undefined after the last. */
  async next(): Promise<Open | undefined> {
    this.#isTaken = true;
    while (this.#open.length === 0) {
      if (this.#isOver) return undefined;
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve;
      });
    }
    const open = this.#open.shift();
    this.#settle(open);
    return open;
  }

  #isFull(): boolean {
    return this.#open.length >= openLinesMax || this.#openBytes > openBytesMax;
  }

  #propose(line: Line, number: number): void {
    const receipt = this.#receiptOf(line).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      say(`synod: line ${number} was not chosen: ${why}`);
      return undefined;
    });
    const open = { line, receipt };
    this.#open.push(open);
    this.#openBytes += line.bytes.length;
    this.#wakeReader();
    if (!this.#isTaken) void receipt.then(() => this.#drop(open));
  }

  async #receiptOf({ bytes, isTooLong }: Line): Promise<Receipt> {
    const { synod } = this.#client;
    if (isTooLong) {
      const { valueBytesMax } = synod.cluster.limits;
      throw new Error(`it is longer than ${valueBytesMax} bytes, the limit of the cluster`);
    }
    return synod.propose(readValue(bytes), patience);
  }

  /** Forgets a line that nobody takes. */
  #drop(open: Open): void {
    const at = this.#open.indexOf(open);
    if (at < 0) return;
    this.#open.splice(at, 1);
    this.#settle(open);
  }

  #settle(open: Open | undefined): void {
    this.#openBytes -= open?.line.bytes.length ?? 0;
    this.#wakeProposer();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

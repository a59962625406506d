/**
 * The lines of `up`: what comes on standard input is proposed, what is chosen is printed.
 *
 * What is printed comes from the learners, in the order of the log: a line that shows is chosen.
 */

import type { ChosenEvent } from "../client/synod.js";
import type { Receipt } from "../paxos/receipt.js";
import type { OpenClient } from "./client.js";
import { toFailure } from "./failure.js";
import { aborted } from "./interruption.js";
import { type Line, readInput, tooLong, writeLine } from "./lines.js";
import { sayFailure } from "./output.js";
import { Progress } from "./progress.js";
import type { Tally } from "./tally.js";
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

/** What both ways to read the input need. */
export interface InputOptions {
  readonly client: OpenClient;
  /** The position behind which what is chosen is printed. */
  readonly after: number;
  readonly printing: Printing;
  /** Ends the input and what is printed. */
  readonly signal: AbortSignal;
  /** Counts the lines; to be read at any time. */
  readonly tally: Tally;
}

/** Proposes every line, prints what is chosen after a position, until `signal`. */
export async function shareInput(options: InputOptions): Promise<void> {
  const { client, after, printing, signal } = options;
  const proposals = new Proposals(options);
  const feed = async () => {
    for await (const entry of client.synod.chosen({ after, signal })) {
      await writeLine(chosenText(entry, printing));
    }
  };
  const propose = async () => {
    await proposals.run();
    if (!signal.aborted) say("synod: the input has ended; the cluster goes on until Ctrl-C");
  };
  await Promise.all([feed(), Promise.race([propose(), aborted(signal)])]);
}

/** How `up --exit` went. */
export interface InputSummary {
  readonly first: number | undefined;
  readonly last: number | undefined;
  readonly ms: number;
}

/** Proposes every line and prints each once it is chosen; ends with the input. */
export async function runInput(options: InputOptions): Promise<InputSummary> {
  const { client, after, printing, signal, tally } = options;
  const startMs = performance.now();
  const proposals = new Proposals(options);
  const progress = new Progress();
  const feed = client.synod.chosen({ after, signal });
  let first: number | undefined;
  let last: number | undefined;
  const reading = proposals.run();
  reading.catch(() => {}); // thrown below, behind the lines that came before
  for (;;) {
    const open = await proposals.next();
    if (open === undefined) break;
    const receipt = await open.receipt;
    if (receipt === undefined) continue;
    const { number, hasBreak, end } = open.line;
    const entry = await entryAt(feed, receipt.position, last).catch((error: unknown) => {
      const at = `is chosen at position ${receipt.position}, and cannot be printed`;
      throw toFailure(error).at(`line ${number} ${at}`);
    });
    first ??= receipt.position;
    last = receipt.position;
    await writeLine(chosenText(entry, printing), printing !== "lines" || hasBreak);
    progress.show(tally.chosen, end);
  }
  progress.clear();
  await reading;
  await feed.return?.();
  return { first, last, ms: performance.now() - startMs };
}

/** Goes on in the feed to a position; entries before it are of others. */
async function entryAt(
  feed: AsyncIterator<ChosenEvent, undefined>,
  position: number,
  last: number | undefined,
): Promise<ChosenEvent> {
  if (last !== undefined && position <= last) throw new Error(`the feed is at ${last} already`);
  for (;;) {
    const { done, value } = await feed.next();
    if (done === true) throw new Error("the feed has ended");
    if (value.position >= position) return value;
  }
}

/** Proposes lines in order, a bounded number at once, and hands them on in that order. */
class Proposals {
  readonly #options: InputOptions;
  readonly #open: Open[] = [];
  #openBytes = 0;
  #isOver = false;
  #wakeReader = () => {};
  #wakeProposer = () => {};
  #isTaken = false;

  constructor(options: InputOptions) {
    this.#options = options;
  }

  /** Proposes until the input ends. @throws Failure if it cannot be read */
  async run(): Promise<void> {
    const { client, signal, tally } = this.#options;
    try {
      for await (const line of readInput(client.synod.cluster.limits.valueBytesMax, signal)) {
        while (this.#isFull()) {
          await new Promise<void>((resolve) => {
            this.#wakeProposer = resolve;
          });
        }
        tally.begin(line.number);
        this.#propose(line);
      }
    } finally {
      this.#isOver = true;
      this.#wakeReader();
    }
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

  #propose(line: Line): void {
    const { tally, printing, signal } = this.#options;
    const { number } = line;
    const receipt = this.#receiptOf(line).then(
      (got) => {
        tally.end(number, true);
        return got;
      },
      (error: unknown) => {
        // The client closes: what it has open stays open, and the tally says so.
        if (signal.aborted) return undefined;
        tally.end(number, false);
        const failure = toFailure(error);
        const outcome = failure.mayHaveHappened ? "may be chosen all the same" : "was not chosen";
        sayFailure(failure.at(`line ${number} ${outcome}`), printing === "json");
        return undefined;
      },
    );
    const open = { line, receipt };
    this.#open.push(open);
    this.#openBytes += bytesOf(line);
    this.#wakeReader();
    if (!this.#isTaken) void receipt.then(() => this.#drop(open));
  }

  async #receiptOf(line: Line): Promise<Receipt> {
    const { synod } = this.#options.client;
    if (line.kind === "tooLong") throw tooLong(line.length, synod.cluster.limits.valueBytesMax);
    return synod.propose(readValue(line.bytes), patience);
  }

  /** Forgets a line that nobody takes. */
  #drop(open: Open): void {
    const at = this.#open.indexOf(open);
    if (at < 0) return;
    this.#open.splice(at, 1);
    this.#settle(open);
  }

  #settle(open: Open | undefined): void {
    if (open !== undefined) this.#openBytes -= bytesOf(open.line);
    this.#wakeProposer();
  }
}

/** Bytes that a line under way holds. */
function bytesOf(line: Line): number {
  return line.kind === "line" ? line.bytes.length : 0;
}

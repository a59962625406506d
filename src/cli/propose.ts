/** `synod propose`: gets values into the log. */
import type { Command } from "commander";
import { formatBallot } from "../paxos/ballot.js";
import { EXIT } from "../worker/exit.js";
import { type OpenClient, readTimeout, withClient } from "./client.js";
import { type ConnectionFlags, withConnection } from "./connection.js";
import { Failure, toFailure, usage } from "./failure.js";
import { aborted, stopSignal } from "./interruption.js";
import { checkInput, type Line, readInput, tooLong, writeLine } from "./lines.js";
import { sayFailure } from "./output.js";
import { Tally } from "./tally.js";
import { say } from "./terminal.js";
import { evidence, readValue, toJson } from "./value.js";

interface ProposeFlags extends ConnectionFlags {
  readonly timeout: string;
  readonly id?: string;
}

/** Proposals under way at once. */
const openMax = 1024;

const examples = `
Prints a receipt for each value: its position in the log, and the acceptors that had it synced.
A value that fails is named by its line, and nothing behind it is read.

Examples:
  synod propose hello world
  synod propose < lines.txt                  every line of the file
  synod propose --id order-17 '{"cents":5}'  once, however often it is sent
  synod propose hello --json`;

/** Adds the command. */
export function addPropose(program: Command): void {
  withConnection(program.command("propose"))
    .description("get values into the log: arguments, or the lines of standard input")
    .argument("[value...]")
    .option("--id <id>", "an idempotency id, for one value")
    .option("--timeout <ms>", "how long to wait for each", "5000")
    .addHelpText("after", examples)
    .action(propose);
}

async function propose(values: readonly string[], flags: ProposeFlags): Promise<void> {
  const { id, json } = flags;
  const timeoutMs = readTimeout(flags.timeout);
  if (id === "") throw usage("--id must not be empty: leave it out to propose without one");
  if (id !== undefined && values.length > 1) throw severalValues(id);
  if (values.length === 0) checkInput();
  await withClient(flags, async (client) => {
    const pipe = new ProposePipe(client, { id, timeoutMs, isJson: json === true, values });
    const stop = stopSignal();
    stop.addEventListener("abort", () => pipe.stopReading(), { once: true });
    await Promise.race([pipe.run(), aborted(stop)]);
    pipe.report(stop.aborted);
  });
}

/** By the id the cluster takes a second value for a repeat of the first, and drops it. */
function severalValues(id: string): Failure {
  return usage(`--id ${JSON.stringify(id)} is the id of one value: give one argument, or one line`);
}

interface PipeOptions {
  readonly id: string | undefined;
  readonly timeoutMs: number;
  readonly isJson: boolean;
  /** Arguments; the lines of standard input if there are none. */
  readonly values: readonly string[];
}

/** Proposes values in order, a bounded number at once, and prints a receipt for each. */
class ProposePipe {
  readonly #client: OpenClient;
  readonly #options: PipeOptions;
  readonly #tally: Tally;
  readonly #reading = new AbortController();
  readonly #failures: LineFailure[] = [];
  #outputFailure: Failure | null = null;

  constructor(client: OpenClient, options: PipeOptions) {
    this.#client = client;
    this.#options = options;
    this.#tally = new Tally(options.values.length > 0 ? "value" : "line");
  }

  /** Ends the input; what was read goes on. */
  stopReading(): void {
    this.#reading.abort();
  }

  /** Resolves when every value that was read has an outcome. Reads on until the first failure. */
  async run(): Promise<void> {
    const open: Promise<void>[] = [];
    try {
      for await (const line of this.#lines()) {
        this.#tally.begin(line.number);
        open.push(this.#propose(line));
        if (open.length >= openMax) await open.shift();
        if (this.#reading.signal.aborted) break;
      }
    } finally {
      await Promise.all(open);
    }
  }

  #lines(): AsyncIterable<Line> | Iterable<Line> {
    const { values, id } = this.#options;
    if (values.length > 0) return values.map(argumentLine);
    const { valueBytesMax } = this.#client.synod.cluster.limits;
    const lines = readInput(valueBytesMax, this.#reading.signal);
    return id === undefined ? lines : onlyLine(lines, id);
  }

  async #propose(line: Line): Promise<void> {
    const { number } = line;
    let told: string;
    try {
      told = await this.#receiptOf(line);
      this.#tally.end(number, true);
    } catch (error) {
      this.#tally.end(number, false);
      this.#failures.push({ number, failure: toFailure(error) });
      this.stopReading();
      return;
    }
    await writeLine(told).catch((failure: Failure) => {
      this.#outputFailure = failure;
      this.stopReading();
    });
  }

  /** Gets a value into the log. @returns its receipt as it is printed */
  async #receiptOf(line: Line): Promise<string> {
    const { synod } = this.#client;
    const { id, timeoutMs, isJson } = this.#options;
    if (line.kind === "tooLong") throw tooLong(line.length, synod.cluster.limits.valueBytesMax);
    const value = readValue(line.bytes);
    const { position, slot, ballot, syncedBy } = await synod.propose(value, { id, timeoutMs });
    if (!isJson) return evidence(position, slot, ballot, syncedBy);
    const receipt = { position, slot, ballot: formatBallot(ballot), syncedBy };
    return JSON.stringify({ ...receipt, value: toJson(value) });
  }

  /** Says what did not go well, and with which code that ends the command. @throws Failure */
  report(isInterrupted: boolean): void {
    const { isJson, values } = this.#options;
    const isPipe = values.length !== 1;
    const failures = this.#failures.sort((a, b) => a.number - b.number);
    for (const { from, to, failure } of isJson ? failures.map(alone) : runsOf(failures)) {
      sayFailure(isPipe ? failure.at(placeOf(this.#tally.noun, from, to)) : failure, isJson);
    }
    const howFar = this.#tally.sentence();
    if (isInterrupted) {
      const mayHaveHappened = this.#tally.open > 0;
      throw new Failure(EXIT.interrupted, "interrupted", `interrupted: ${howFar}`, mayHaveHappened);
    }
    if (this.#outputFailure !== null) throw this.#outputFailure.inPart(howFar);
    const [first] = failures;
    if (first === undefined) return;
    if (isPipe && !isJson) say(`synod: ${howFar}`);
    process.exitCode = first.failure.exitCode;
  }
}

interface LineFailure {
  readonly number: number;
  readonly failure: Failure;
}

/** Lines in a row that failed alike. */
interface FailureRun {
  readonly from: number;
  readonly to: number;
  readonly failure: Failure;
}

function alone({ number, failure }: LineFailure): FailureRun {
  return { from: number, to: number, failure };
}

/** Puts neighbours that failed alike together: a lost server fails a thousand lines at once. */
function runsOf(failures: readonly LineFailure[]): FailureRun[] {
  const runs: FailureRun[] = [];
  for (const one of failures) {
    const last = runs.at(-1);
    const isNext = last?.to === one.number - 1 && last.failure.message === one.failure.message;
    if (last !== undefined && isNext) runs.splice(-1, 1, { ...last, to: one.number });
    else runs.push(alone(one));
  }
  return runs;
}

/** `line 7`, `lines 7 to 1,030` */
function placeOf(noun: string, from: number, to: number): string {
  const [first, last] = [from, to].map((number) => number.toLocaleString("en"));
  return from === to ? `${noun} ${first}` : `${noun}s ${first} to ${last}`;
}

function argumentLine(text: string, index: number): Line {
  return { kind: "line", bytes: Buffer.from(text), number: index + 1, end: 0, hasBreak: false };
}

/** Reads the one line that an id is for, and sees that no other follows before it is proposed. */
async function* onlyLine(lines: AsyncIterable<Line>, id: string): AsyncGenerator<Line, void> {
  let only: Line | undefined;
  for await (const line of lines) {
    if (only !== undefined) throw severalValues(id);
    only = line;
  }
  if (only === undefined) throw usage("--id is the id of one value: standard input has none");
  yield only;
}

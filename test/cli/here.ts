/**
 * Commands run in the test's own process: for what a command says, and the code that it ends with,
 * where the process, its pipes and its signals are not the point. A process costs half a second of
 * processor time, mostly to load its modules.
 *
 * What `main.ts` adds (a crash, a closed pipe, a signal) needs a process: `processes.ts`. So does
 * what asks who started it: this process has a parent with a channel, as if `up` were it. Output is
 * seen where the standard output of this process is a pipe, as in vitest.
 */
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { toFailure } from "../../src/cli/failure.js";
import { output, sayFailure } from "../../src/cli/output.js";
import { runProgram } from "../../src/cli/program.js";
import { type Ended, environment, type RunOptions } from "./processes.js";

/** How to run a command here. */
export type HereOptions = Pick<RunOptions, "cwd" | "env" | "input">;

const main = fileURLToPath(new URL("../../dist/src/cli/main.js", import.meta.url));
const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
let last: Promise<unknown> = Promise.resolve();

/**
 * Runs a command to its end, as `Processes.run` does. One at a time: arguments, folder and standard
 * streams are those of the whole process.
 */
export function runHere(args: readonly string[], options: HereOptions = {}): Promise<Ended> {
  const ended = last.then(() => runAlone(args, options));
  last = ended.catch(() => {});
  return ended;
}

async function runAlone(args: readonly string[], options: HereOptions): Promise<Ended> {
  const { cwd = process.cwd(), env = environment(), input = "" } = options;
  const before = { argv: process.argv, cwd: process.cwd(), env: process.env };
  const listeners = signals.map((signal) => [signal, process.listeners(signal)] as const);
  const stdin = Object.getOwnPropertyDescriptor(process, "stdin") ?? {};
  const [stdout, stderr] = [capture(process.stdout), capture(process.stderr)];
  const endOfOptions = args.indexOf("--");
  const isJson = (endOfOptions < 0 ? args : args.slice(0, endOfOptions)).includes("--json");
  try {
    process.argv = [process.execPath, main, ...args];
    process.env = env;
    process.chdir(cwd);
    Object.defineProperty(process, "stdin", {
      value: Readable.from(input.length === 0 ? [] : [Buffer.from(input)]),
      configurable: true,
    });
    let code = 0;
    try {
      await runProgram(isJson);
      code = Number(process.exitCode ?? 0);
      await output.flush();
    } catch (error) {
      const failure = toFailure(error);
      sayFailure(failure, isJson);
      code = failure.exitCode;
    }
    return { code, signal: null, stdout: stdout.text(), stderr: stderr.text() };
  } finally {
    stdout.restore();
    stderr.restore();
    Object.defineProperty(process, "stdin", stdin);
    process.exitCode = undefined;
    process.chdir(before.cwd);
    process.argv = before.argv;
    process.env = before.env;
    for (const [signal, known] of listeners) {
      for (const listener of process.listeners(signal)) {
        if (!known.includes(listener)) process.removeListener(signal, listener);
      }
    }
  }
}

/** Keeps what is written to a stream of this process, in place of writing it. */
function capture(stream: NodeJS.WriteStream): { text(): string; restore(): void } {
  const { write } = stream;
  const chunks: Buffer[] = [];
  stream.write = ((chunk: string | Uint8Array, ...rest: unknown[]) => {
    chunks.push(Buffer.from(chunk as string));
    const done = rest.at(-1);
    if (typeof done === "function") process.nextTick(done as () => void);
    return true;
  }) as typeof stream.write;
  return {
    text: () => Buffer.concat(chunks).toString(),
    restore: () => {
      stream.write = write;
    },
  };
}

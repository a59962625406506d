#!/usr/bin/env node
/**
 * The command line: loads and runs the command that is called, and says how it ended.
 *
 * Why it imports so little: where few files may be opened (`ulimit -n`), the rest does not load,
 * and this must be able to say so.
 */
import { EXIT } from "../worker/exit.js";
import { isSystemError, toFailure } from "./failure.js";
import { OUTPUT_CLOSED, output, sayFailure } from "./output.js";

/** Milliseconds that a reader has for the last words of a command that failed. */
const lastWordsMs = 1000;
/**
 * Commands whose work is not done, or whose verdict is not told, before all is printed. Of the
 * others a reader may have enough: `synod chosen | head`.
 */
const finishers: readonly string[] = [
  ...["up", "propose", "decide", "format", "move", "sim", "explore"],
];

const words = process.argv.slice(2);
const [command = ""] = words;
const endOfOptions = words.indexOf("--");
const isJson = (endOfOptions < 0 ? words : words.slice(0, endOfOptions)).includes("--json");

async function main(): Promise<void> {
  if (process.platform === "win32") {
    process.stderr.write("synod: this runs on Linux and macOS: on Windows use it in WSL 2\n");
    process.exitCode = EXIT.failed;
    return;
  }
  // What cannot be said on standard error is lost; it must not end a command.
  process.stderr.on("error", () => {});
  process.on("uncaughtException", (error) => {
    // A mistake of ours: its mending needs the place.
    if (!isSystemError(error)) process.stderr.write(`${error.stack ?? ""}\n`);
    void leave(error);
  });
  try {
    const { runProgram } = await import("./program.js");
    await runProgram(isJson);
    await output.flush();
  } catch (error) {
    await leave(error);
  }
}

/** Says what failed and ends this process. */
async function leave(error: unknown): Promise<void> {
  const failure = toFailure(error);
  const hasEnough = failure.code === OUTPUT_CLOSED && !finishers.includes(command);
  if (hasEnough) process.exit();
  sayFailure(failure, isJson);
  const late = new Promise((resolve) => setTimeout(resolve, lastWordsMs));
  await Promise.race([output.flush().catch(() => {}), late]);
  // Not by itself: an input that is open, or a connection that will not close, must not hold us.
  process.exit(failure.exitCode);
}

void main();

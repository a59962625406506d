/** `synod decide`: a key whose first value wins, for ever. */
import type { Command } from "commander";
import { EXIT } from "../worker/exit.js";
import { readTimeout, withClient } from "./client.js";
import { type ConnectionFlags, withConnection } from "./connection.js";
import { Failure, toFailure } from "./failure.js";
import { stopSignal } from "./interruption.js";
import { writeLine } from "./lines.js";
import { say } from "./terminal.js";
import { toJson, valueText } from "./value.js";

interface DecideFlags extends ConnectionFlags {
  readonly timeout: string;
}

const examples = `
Prints the value that the key holds: yours if it was the first, else the one that was.
Without VALUE it only asks.

Examples:
  synod decide colour blue
  synod decide colour
  synod decide colour --json`;

/** Adds the command. */
export function addDecide(program: Command): void {
  withConnection(program.command("decide"))
    .description("decide a key: the first value wins, for ever")
    .argument("<key>")
    .argument("[value]", "asks what the key holds if left out")
    .option("--timeout <ms>", "how long to wait for a quorum", "5000")
    .addHelpText("after", examples)
    .action(decide);
}

async function decide(key: string, wish: string | undefined, flags: DecideFlags): Promise<void> {
  const timeoutMs = readTimeout(flags.timeout);
  const value = await withClient(flags, async ({ synod }) => {
    const signal = stopSignal();
    const call = { timeoutMs, signal };
    const answer =
      wish === undefined ? synod.decide(key, undefined, call) : synod.decide(key, wish, call);
    return answer.catch((error: unknown) => {
      throw signal.aborted ? interrupted(key, toFailure(error).mayHaveHappened) : error;
    });
  });
  if (flags.json === true) {
    await writeLine(JSON.stringify({ key, value: toJson(value) }));
  } else if (value === null) {
    say(`synod: ${key} is not decided`);
  } else {
    await writeLine(valueText(value));
  }
}

function interrupted(key: string, mayHaveHappened: boolean): Failure {
  const outcome = mayHaveHappened
    ? `${key} may be decided all the same`
    : `nothing is known of ${key}`;
  return new Failure(EXIT.interrupted, "interrupted", `interrupted: ${outcome}`, mayHaveHappened);
}

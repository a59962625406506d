/** `synod chosen`: the feed of chosen values. */
import type { Command } from "commander";
import { TrimmedError } from "../client/errors.js";
import { EXIT } from "../worker/exit.js";
import { withClient } from "./client.js";
import { type ConnectionFlags, withConnection } from "./connection.js";
import { Failure, usage } from "./failure.js";
import { aborted, stopSignal } from "./interruption.js";
import { writeLine } from "./lines.js";
import { askTail } from "./tail.js";
import { chosenText, printingOf } from "./value.js";

interface ChosenFlags extends ConnectionFlags {
  readonly after?: string;
  readonly follow?: boolean;
}

const examples = `
In a pipe it prints the values, one a line; on a terminal also position, slot, ballot, acceptors.

Examples:
  synod chosen                       all there is, then ends
  synod chosen --follow              and what comes, until Ctrl-C
  synod chosen --after 120 --json    from position 121 on`;

/** Adds the command. */
export function addChosen(program: Command): void {
  withConnection(program.command("chosen"))
    .description("print the chosen values, in order, each once")
    .option("--after <position>", "begin after this position (a number, start, now)", "start")
    .option("--follow", "go on with what comes")
    .addHelpText("after", examples)
    .action(printChosen);
}

async function printChosen(flags: ChosenFlags): Promise<void> {
  const after = readAfter(flags.after ?? "start");
  const printing = printingOf(flags.json);
  await withClient(flags, async (client) => {
    const last = flags.follow === true ? Number.POSITIVE_INFINITY : await askTail(client);
    if (typeof after === "number" && after >= last) return;
    if (last === 0 || (after === "now" && flags.follow !== true)) return;
    const signal = stopSignal();
    let printed: number | undefined;
    const print = async () => {
      for await (const entry of client.synod.chosen({ after, signal })) {
        await writeLine(chosenText(entry, printing));
        printed = entry.position;
        if (printed >= last) return;
      }
    };
    await Promise.race([print(), aborted(signal)]).catch((error: unknown) => {
      throw error instanceof TrimmedError ? trimmedFailure(error) : error;
    });
    if (!signal.aborted) return;
    const howFar = printed === undefined ? "nothing was printed" : `go on with --after ${printed}`;
    throw new Failure(EXIT.interrupted, "interrupted", `interrupted: ${howFar}`);
  });
}

/** Says with which command the feed begins at what is kept. */
function trimmedFailure({ code, message, firstPosition }: TrimmedError): Failure {
  const wayOut = `begin with --after ${firstPosition - 1}, which leaves out what came before`;
  return new Failure(EXIT.failed, code, `${message}: ${wayOut}`);
}

function readAfter(word: string): number | "start" | "now" {
  if (word === "start" || word === "now") return word;
  if (/^\d{1,15}$/.test(word)) return Number(word);
  throw usage(`--after must be a position, start or now, not ${JSON.stringify(word)}`);
}

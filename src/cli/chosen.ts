/** `synod chosen`: the feed of chosen values. */
import type { Command } from "commander";
import { withClient } from "./client.js";
import { type ConnectionFlags, withConnection } from "./connection.js";
import { usage } from "./failure.js";
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
    for await (const entry of client.synod.chosen({ after })) {
      await writeLine(chosenText(entry, printing));
      if (entry.position >= last) return;
    }
  });
}

function readAfter(word: string): number | "start" | "now" {
  if (word === "start" || word === "now") return word;
  if (/^\d{1,15}$/.test(word)) return Number(word);
  throw usage(`--after must be a position, start or now, not ${JSON.stringify(word)}`);
}

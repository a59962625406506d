/** `synod propose`: gets values into the log. */
import type { Command } from "commander";
import { formatBallot } from "../paxos/ballot.js";
import { type OpenClient, readTimeout, withClient } from "./client.js";
import { type ConnectionFlags, withConnection } from "./connection.js";
import { type Line, readLines, writeLine } from "./lines.js";
import { evidence, readValue, toJson } from "./value.js";

interface ProposeFlags extends ConnectionFlags {
  readonly timeout: string;
  readonly id?: string;
}

/** Proposals under way at once. */
const openMax = 1024;

const examples = `
Prints a receipt for each value: its position in the log, and the acceptors that had it synced.

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
  const timeoutMs = readTimeout(flags.timeout);
  await withClient(flags, async (client) => {
    const given = values.length > 0 ? values.map(toLine) : stdinLines(client);
    const waiting: Promise<void>[] = [];
    let failure: unknown;
    const fail = (error: unknown) => {
      failure ??= error;
    };
    for await (const line of given) {
      const receipt = proposeOne(client, line, flags, timeoutMs);
      waiting.push(receipt.catch(fail));
      if (waiting.length >= openMax) await waiting.shift();
      if (failure !== undefined) break;
    }
    await Promise.all(waiting);
    if (failure !== undefined) throw failure;
  });
}

function toLine(text: string): Pick<Line, "bytes" | "isTooLong"> {
  return { bytes: Buffer.from(text), isTooLong: false };
}

function stdinLines({ synod }: OpenClient): AsyncIterable<Line> {
  return readLines(process.stdin, synod.cluster.limits.valueBytesMax + 1);
}

async function proposeOne(
  { synod }: OpenClient,
  { bytes }: Pick<Line, "bytes">,
  { id, json }: ProposeFlags,
  timeoutMs: number,
): Promise<void> {
  const value = readValue(bytes);
  const receipt = await synod.propose(value, { id, timeoutMs });
  const { position, slot, ballot, syncedBy } = receipt;
  if (json === true) {
    const told = { position, slot, ballot: formatBallot(ballot), syncedBy, value: toJson(value) };
    await writeLine(JSON.stringify(told));
  } else {
    await writeLine(evidence(position, slot, ballot, syncedBy));
  }
}

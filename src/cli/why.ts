/** `synod why`: what each role waits for, from whom, since when. */
import type { Command } from "commander";
import type { Wait } from "../kernel/role.js";
import { withClient } from "./client.js";
import { type ConnectionFlags, withConnection } from "./connection.js";
import { duration, result } from "./terminal.js";

/** Adds the command. */
export function addWhy(program: Command): void {
  withConnection(program.command("why"))
    .description("what each role waits for, from whom, since when")
    .argument("[role]", "only this role")
    .addHelpText("after", "\nExamples:\n  synod why\n  synod why proposer --json")
    .action(showWaits);
}

async function showWaits(role: string | undefined, flags: ConnectionFlags): Promise<void> {
  const all = await withClient(flags, ({ synod }) => synod.why());
  const found = all
    .filter((one) => role === undefined || one.role === role)
    .sort((a, b) => (`${a.role} ${a.id}` < `${b.role} ${b.id}` ? -1 : 1));
  if (flags.json === true) {
    for (const one of found) result(JSON.stringify(one));
    return;
  }
  const waiting = found.filter(({ waits }) => waits.length > 0);
  if (waiting.length === 0) {
    result(found.length === 0 ? `no process runs role ${role}` : "nobody waits for anything");
  }
  // What a whole process waits for, each of its roles waits for: one line names them all.
  const waitersOf = new Map<string, string[]>();
  for (const { role: name, id, waits } of waiting) {
    for (const wait of waits) {
      const what = sentence(wait);
      waitersOf.set(what, [...(waitersOf.get(what) ?? []), `${name} ${id}`]);
    }
  }
  for (const [what, waiters] of waitersOf) {
    result(`${waiters.join(", ")} ${waiters.length === 1 ? "waits" : "wait"} for ${what}`);
  }
}

function sentence({ for: what, from, have, need, sinceMs, reason }: Wait): string {
  const who = from.length === 0 ? "" : ` from ${from.join(", ")}`;
  const count = need === 0 ? "" : ` (${have} of ${need})`;
  return `${what}${who}${count} since ${duration(sinceMs)}: ${reason}`;
}

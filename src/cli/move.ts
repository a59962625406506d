/** `synod move`: moves the store of a role to another disk or another machine. */
import type { Command } from "commander";
import { createRandom } from "../adapters/node/clock.js";
import { readDescriptor } from "../worker/descriptor.js";
import { readRoles } from "../worker/roles.js";
import {
  awaitRoleStore,
  moveRoleStore,
  receiveRoleStore,
  sendRoleStore,
} from "../worker/stores.js";
import { usage } from "./failure.js";
import { result, say } from "./terminal.js";

interface MoveFlags {
  readonly data?: string;
  readonly descriptor?: string;
  readonly to?: string;
  readonly await?: boolean;
  readonly for?: string;
  readonly from?: string;
  readonly json?: boolean;
}

const examples = `
A store answers in one file only, and a copy of it is refused. End the role, then move its store. A
move that was interrupted is ended by the same command. Once the store has arrived, remove the old
folder when you like: it never opens again.

To another machine, in this order (both have the same cluster.yaml):
  1. there, --await prints a code
  2. here, --for CODE ends the store
  3. carry its folder there, with cp, tar or rsync, as often as it takes
  4. there, --from FOLDER takes it in, once

Examples:
  synod move acceptor:a1 --data data --to /mnt/new/data    to another disk of this machine
  synod move acceptor:a1 --data data --await
  synod move acceptor:a1 --data data --for CODE
  synod move acceptor:a1 --data data --from carried/acceptor-a1`;

/** Adds the command. */
export function addMove(program: Command): void {
  program
    .command("move")
    .description("move the store of a role to another disk or machine")
    .argument("<role>", "the role whose store moves: acceptor:a1")
    .option("--data <folder>", "the folder of the stores")
    .option("--descriptor <file>", "the cluster's descriptor (default: cluster.yaml)")
    .option("--to <folder>", "the folder of the stores on the other disk")
    .option("--await", "await the store of another machine here; prints a code")
    .option("--for <code>", "end the store here, for the machine that printed the code")
    .option("--from <folder>", "take in the store that was carried here")
    .option("--json", "print one JSON object a line")
    .addHelpText("after", examples)
    .action(move);
}

async function move(word: string, flags: MoveFlags): Promise<void> {
  const { data } = flags;
  if (data === undefined) throw usage("name the folder of the stores with --data");
  const chosen = [flags.to, flags.await, flags.for, flags.from].filter((x) => x !== undefined);
  if (chosen.length !== 1) throw usage("name one of --to, --await, --for and --from");
  const cluster = await readDescriptor(flags.descriptor ?? "cluster.yaml");
  const [found] = readRoles([word], undefined, cluster, createRandom());
  if (found?.definition.stateful !== true) {
    throw usage(`${word} remembers nothing and has no store: start it where you like`);
  }
  const { name: role } = found.definition;
  const { id } = found;
  const store = { role, id, data };
  const line = (fields: Readonly<Record<string, string>>, plain: string, advice: string) => {
    result(flags.json === true ? JSON.stringify({ role, id, ...fields }) : plain);
    say(`synod: ${advice}`);
  };
  if (flags.to !== undefined) {
    const folder = await moveRoleStore(cluster, { ...store, to: flags.to });
    line({ data: folder }, folder, `${role} ${id} was moved: start it with --data ${flags.to}`);
  } else if (flags.for !== undefined) {
    const folder = await sendRoleStore(cluster, { ...store, code: flags.for });
    if (folder === undefined)
      throw usage(`--for: that is no code for ${role} ${id}; copy it whole`);
    line({ carry: folder }, folder, `${role} ${id} has left: carry this folder there, then --from`);
  } else if (flags.from !== undefined) {
    const folder = await receiveRoleStore(cluster, { ...store, from: flags.from });
    line({ data: folder }, folder, `${role} ${id} has arrived: start it with --data ${data}`);
  } else {
    const code = await awaitRoleStore(cluster, store);
    line({ code }, code, `where ${role} ${id} is: synod move ${role}:${id} --for ${code}`);
  }
}

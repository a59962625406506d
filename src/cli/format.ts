/** `synod format`: draws the ids of a cluster, and makes the stores of its roles. */
import type { Command } from "commander";
import { createRandom } from "../adapters/node/clock.js";
import { type Cluster, storeIdOf } from "../paxos/cluster.js";
import {
  descriptorJson,
  drawCluster,
  readDescriptor,
  writeDescriptor,
} from "../worker/descriptor.js";
import { readRoles } from "../worker/roles.js";
import { formatRoleStore } from "../worker/stores.js";
import { usage } from "./failure.js";
import { output } from "./output.js";
import { result, say } from "./terminal.js";

interface FormatFlags {
  readonly id?: string;
  readonly data?: string;
  readonly descriptor?: string;
  readonly new?: string;
  readonly acceptors: string;
  readonly proposers: string;
  readonly draw?: boolean;
  readonly json?: boolean;
}

const examples = `
A cluster is born in this order: draw all ids into a descriptor, give every machine a copy of it,
format each store once. A formatted store is never formatted again: an empty one would have
forgotten its promises.

Examples:
  synod format --new demo --acceptors 3 > cluster.yaml
  synod format acceptor:a1 proposer:p1 --descriptor cluster.yaml --data data
  synod format --draw                                   one more store id`;

/** Adds the command. */
export function addFormat(program: Command): void {
  program
    .command("format")
    .description("draw a new cluster's descriptor; make the store of a role (prints its id)")
    .argument("[role...]", "the roles whose stores are made: acceptor:a1")
    .option("--id <id>", "the id of the roles that have none of their own")
    .option("--data <folder>", "the folder of the stores")
    .option("--descriptor <file>", "the cluster's descriptor (default: cluster.yaml)")
    .option("--new <name>", "print the descriptor of a new cluster")
    .option("--acceptors <n>", "acceptors of the new cluster", "3")
    .option("--proposers <n>", "proposers of the new cluster", "2")
    .option("--draw", "print a new store id")
    .option("--json", "print one JSON object a line")
    .addHelpText("after", examples)
    .action(format);
}

async function format(roles: readonly string[], flags: FormatFlags): Promise<void> {
  if (flags.draw === true) {
    const store = createRandom().hex(16);
    result(flags.json === true ? JSON.stringify({ store }) : store);
    return;
  }
  if (flags.new !== undefined) {
    const cluster = newCluster(flags.new, flags);
    if (flags.json === true) result(descriptorJson(cluster));
    else await output.write(writeDescriptor(cluster));
    return;
  }
  if (roles.length === 0)
    throw usage("name the roles to format, or draw a cluster with --new NAME");
  if (flags.data === undefined) throw usage("name the folder of the stores with --data");
  const cluster = await readDescriptor(flags.descriptor ?? "cluster.yaml");
  const found = readRoles(roles, flags.id, cluster, createRandom());
  for (const { definition, id } of found) {
    const { name, stateful } = definition;
    if (!stateful) {
      say(`synod: ${name} ${id} remembers nothing and needs no store`);
      continue;
    }
    const folder = await formatRoleStore(cluster, name, id, flags.data);
    const store = storeIdOf(cluster, name, id);
    const line = { role: name, id, store, data: folder };
    result(flags.json === true ? JSON.stringify(line) : `${name} ${id} ${store} ${folder}`);
    await output.flush();
  }
}

function newCluster(name: string, flags: FormatFlags): Cluster {
  if (!/^[a-z0-9_-]{1,32}$/.test(name)) {
    throw usage(`--new ${JSON.stringify(name)}: use 1 to 32 characters out of a-z, 0-9, _ and -`);
  }
  const acceptors = wholeNumber(flags.acceptors, "--acceptors", 1, 64);
  const proposers = wholeNumber(flags.proposers, "--proposers", 1, 64);
  return drawCluster({ name, acceptors, proposers, random: createRandom() });
}

/** Reads a number of the command line. @throws Failure */
export function wholeNumber(text: string, what: string, least: number, most: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw usage(
    `${what} must be a whole number from ${least} to ${most}, not ${JSON.stringify(text)}`,
  );
}

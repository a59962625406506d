/**
 * `npm run syncs -- --upto N`: makes the n-th sync, page write and head write of an acceptor fail,
 * for every n up to N, with EIO and ENOSPC, in a cluster under load.
 *
 * Standard output: one line a fault, and a sum. Exit code 1 if anything was lost or went on.
 */
import { parseArgs } from "node:util";
import { Processes } from "../../cli/processes.js";
import { startNatsServer } from "../../support/nats-server.js";
import { findStrace } from "../../support/strace.js";
import { FailingDisk, type InjectedFault } from "./failing-disk.js";

async function run(): Promise<number> {
  const { values } = parseArgs({ options: { upto: { type: "string", default: "12" } } });
  const strace = await findStrace();
  if ("missing" in strace) throw new Error(strace.missing);
  const processes = new Processes();
  const server = await startNatsServer();
  try {
    const disk = await FailingDisk.start(processes, server.url, strace.path);
    for (let when = 1; when <= Number(values.upto); when += 1) {
      for (const fault of faultsAt(when)) {
        const effect = await disk.fail(fault);
        process.stdout.write(`${fault.call} ${when} with ${fault.error}: ${effect}\n`);
      }
    }
    const { failures, counts } = await disk.end();
    const { effects, hits } = disk;
    process.stdout.write(`${JSON.stringify({ effects, hits, counts, failures })}\n`);
    return failures.length === 0 ? 0 : 1;
  } finally {
    await processes.clear();
    await server.stop();
  }
}

function faultsAt(when: number): InjectedFault[] {
  return [
    { call: "fdatasync", error: "EIO", when },
    { call: "pwrite64", error: "EIO", when },
    { call: "pwrite64", error: "ENOSPC", when },
    { call: "writev", error: "EIO", when },
    { call: "writev", error: "ENOSPC", when },
  ];
}

run().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  },
);

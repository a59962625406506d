/**
 * `npm run syncs -- --upto N`: makes the n-th sync and write of an acceptor's store fail, in good
 * order and after a kill, for every n up to N, with EIO and ENOSPC, in a cluster under load.
 *
 * Standard output: one line a fault, and a sum. Exit code 1 if anything was lost or went on.
 */
import { parseArgs } from "node:util";
import { Processes } from "../../cli/processes.js";
import { startNatsServer } from "../../support/nats-server.js";
import { findStrace } from "../../support/strace.js";
import { FailingDisk, type Hit, type InjectedFault } from "./failing-disk.js";

async function run(): Promise<number> {
  const { values } = parseArgs({ options: { upto: { type: "string", default: "12" } } });
  const strace = await findStrace();
  if ("missing" in strace) throw new Error(strace.missing);
  const processes = new Processes();
  const server = await startNatsServer();
  try {
    const disk = await FailingDisk.start(processes, server.url, strace.path);
    const wrong: string[] = [];
    for (let when = 1; when <= Number(values.upto); when += 1) {
      for (const fault of faultsAt(when)) {
        const did = await failed(disk, fault);
        if (did.error !== undefined) wrong.push(did.error);
        const what = `${fault.call} ${when}${fault.afterKill === true ? " after a kill" : ""}`;
        process.stdout.write(
          `${what} with ${fault.error}: ${did.hit}: ${did.error ?? did.effect}\n`,
        );
      }
    }
    const ended = await disk.end();
    const failures = [...wrong, ...ended.failures];
    const { counts } = ended;
    const { effects, hits } = disk;
    process.stdout.write(`${JSON.stringify({ effects, hits, counts, failures })}\n`);
    return failures.length === 0 ? 0 : 1;
  } finally {
    await processes.clear();
    await server.stop();
  }
}

/** Makes a call fail; goes on behind a fault that did what it may not. */
async function failed(disk: FailingDisk, fault: InjectedFault) {
  const before = { ...disk.hits };
  const hit = () => Object.entries(disk.hits).find(([name, n]) => n > before[name as Hit])?.[0];
  try {
    const effect = await disk.fail(fault);
    return { effect, hit: hit() };
  } catch (error) {
    await disk.restart();
    return { error: String(error), hit: hit() };
  }
}

function faultsAt(when: number): InjectedFault[] {
  const made: InjectedFault[] = when > 1 ? [] : [{ call: "fsync", error: "EIO", when }];
  const others = [false, true].flatMap((afterKill): InjectedFault[] => [
    { call: "fdatasync", error: "EIO", when, afterKill },
    { call: "pwrite64", error: "EIO", when, afterKill },
    { call: "pwrite64", error: "ENOSPC", when, afterKill },
    { call: "writev", error: "EIO", when, afterKill },
    { call: "writev", error: "ENOSPC", when, afterKill },
  ]);
  return [...made, ...others];
}

run().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  },
);

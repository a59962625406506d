/**
 * Goal: a leader whose process stands again and again, but answers in between, hands over, and says
 * why; `status` shows how processes stand.
 * Method: `up` from dist; the leader's process is stopped most of the time, each time for less than
 * the silence at which electors suspect a leader.
 */
import { afterEach, expect, it } from "vitest";
import type { Status } from "../../src/client/control.js";
import { DEFAULT_LIMITS } from "../../src/paxos/limits.js";
import { Processes } from "../cli/processes.js";
import { slowMs, Town, testMs } from "./cluster.js";

const processes = new Processes();
let hampered: number | undefined;

afterEach(async () => {
  if (hampered !== undefined) process.kill(hampered, "SIGCONT");
  hampered = undefined;
  await processes.clear();
});

const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const standsMs = 7 * DEFAULT_LIMITS.beaconMs;

/** Stops a process again and again until `isOver`. */
async function hamper(pid: number, isOver: () => Promise<boolean>): Promise<void> {
  hampered = pid;
  const endMs = performance.now() + slowMs;
  for (let turn = 1; ; turn++) {
    process.kill(pid, "SIGSTOP");
    await pass(standsMs);
    process.kill(pid, "SIGCONT");
    await pass(50);
    if (turn % 5 === 0 && (await isOver())) return;
    if (performance.now() > endMs) throw new Error("the leader has not stepped aside");
  }
}

it(
  "a leader whose process stands most of the time hands over",
  async () => {
    const town = await Town.bringUp(processes, await processes.folder(), ["--embedded"]);
    const leader = async () => (await town.status()).leader?.id;
    const pid = await town.leaderPid();
    const first = await leader();
    await hamper(pid, async () => {
      const now = await leader();
      return now !== undefined && now !== first;
    });
    const why = await town.why();
    const slow = why.filter(({ waits }) =>
      waits.some(({ reason }) => reason.includes("this process does not keep up")),
    );
    const { processes: all } = JSON.parse((await town.run("status", "--json")).stdout) as Status;
    const one = all.find((process) => process.pid === pid);
    expect(one?.roles).toContain(`proposer ${first}`);
    // On a busy machine others may be slow as well.
    const named = slow.map(({ role, id }) => `${role} ${id}`);
    expect(named).toEqual(expect.arrayContaining([...(one?.roles ?? [])]));
    expect(one?.heapUsedBytes).toBeLessThan(one?.heapBytesMax ?? 0);
    expect((await town.run("status")).stdout).toMatch(
      /processes: event loops stood for at most \d+ ms \(pid \d+\), fullest heap \S+ .* of /,
    );
    expect((await town.run("propose", "on")).code).toBe(0);
  },
  testMs,
);

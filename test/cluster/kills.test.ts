/**
 * Goal: whoever is killed with kill -9, every line is chosen, once and in order, for every
 * subscriber; and what was acknowledged outlives the death of all processes at once.
 * Method: `up` from dist, fed while its processes are killed in turn among the lines that are under
 * way; its output and that of two subscribers are held against the bytes it was fed.
 */
import { afterEach, describe, expect, it } from "vitest";
import { environment, isAlive, Processes, type Running, until } from "../cli/processes.js";
import { natsServerMissing, slowMs, Town, testMs, withNatsServer } from "./cluster.js";

const processes = new Processes();
afterEach(() => processes.clear());

/** Lines fed for each kill: some before it, the rest right after. */
const linesBefore = 60;
const linesAfter = 120;

type Victim = (town: Town) => Promise<number>;

const leader: Victim = (town) => town.leaderPid();
const role =
  (name: string, id: string): Victim =>
  (town) =>
    town.pidOf(name, id);

/** Feeds lines, kills one process among them, and waits until all of them are chosen. */
async function killAmidst(town: Town, victim: Victim): Promise<void> {
  const pid = await victim(town);
  const start = town.sent.length;
  let end = Number.POSITIVE_INFINITY;
  const feeding = town.feedWhile(() => town.sent.length < end);
  await town.prints(start + linesBefore).finally(() => {
    end = town.sent.length + linesAfter;
  });
  process.kill(pid, "SIGKILL");
  await feeding;
  await town.prints(town.sent.length);
}

/** Subscribes to all that is chosen. */
function subscribe(town: Town): Running[] {
  return [town.start("chosen", "--follow"), town.start("chosen", "--follow")];
}

/** Ends the input, and holds what came out against what went in. */
async function endsWithAllLines(town: Town, subscribers: readonly Running[]): Promise<void> {
  const all = town.sent.join("");
  await until(() => subscribers.every(({ stdout }) => stdout.length >= all.length), slowMs);
  town.up.child.stdin?.end();
  const { code, stdout, stderr } = await town.up.ended;
  expect(stdout === all, "the bytes of the input, and no others").toBe(true);
  for (const subscriber of subscribers) {
    expect(subscriber.stdout === all, "the bytes of the input at a subscriber").toBe(true);
  }
  expect(stderr).toMatch(/synod: [\d,]+ lines chosen in /);
  expect(code).toBe(0);
}

describe("kill -9", () => {
  it(
    "of the leader, an acceptor and the gateway in turn loses no line",
    async () => {
      const args = ["--exit", "--embedded"];
      const town = await Town.bringUp(processes, await processes.folder(), args);
      const subscribers = subscribe(town);
      const victims = [leader, role("acceptor", "a1"), role("gateway", "g1"), leader];
      for (const victim of victims) await killAmidst(town, victim);
      expect(town.up.stderr.match(/was killed by SIGKILL: starting it again/g)).toHaveLength(4);
      await endsWithAllLines(town, subscribers);
    },
    testMs,
  );

  it.skipIf(natsServerMissing !== undefined)(
    `of a whole colocated process, on a nats-server (${natsServerMissing ?? "found"})`,
    async () => {
      const args = ["--exit", "--placement", "colocated"];
      const cwd = await processes.folder();
      const town = await Town.bringUp(processes, cwd, args, withNatsServer);
      expect(town.up.stderr).toContain("nats-server");
      const subscribers = subscribe(town);
      await killAmidst(town, leader);
      await killAmidst(town, role("acceptor", "a2"));
      await endsWithAllLines(town, subscribers);
    },
    testMs,
  );

  it(
    "of everything at once loses nothing that was acknowledged",
    async () => {
      const cwd = await processes.folder();
      const args = ["--embedded", "--placement", "colocated"];
      const town = await Town.bringUp(processes, cwd, args);
      const proposer = town.start("propose", "--json");
      const pids = await town.pids();
      expect(pids.length).toBeGreaterThanOrEqual(5);
      const others = Array.from({ length: 400 }, (_, i) => `other ${i}\n`);
      proposer.child.stdin?.end(others.join(""));
      let isOver = false;
      const feeding = town.feedWhile(() => !isOver);
      await until(() => town.printed >= 200 && proposer.stdout !== "", slowMs).finally(() => {
        isOver = true;
      });
      for (const pid of pids) process.kill(pid, "SIGKILL");
      const { stdout: printed } = await town.up.ended;
      await proposer.end();
      await feeding;
      await until(() => pids.every((pid) => !isAlive(pid)));

      const again = await Town.bringUp(processes, cwd, args, environment());
      const { stdout: chosen } = await again.run("chosen");
      expect(chosen.startsWith(printed), "what was printed is still chosen").toBe(true);
      const log = chosen.split("\n");
      const receipts = proposer.stdout.split("\n").slice(0, -1);
      for (const receipt of receipts) {
        const { position, value } = JSON.parse(receipt) as { position: number; value: string };
        expect(log[position - 1]).toBe(value);
      }
      await again.send(10);
      await again.prints(10);
      const twice = await Promise.all([again.run("chosen"), again.run("chosen")]);
      expect(twice[0].stdout).toBe(chosen + again.sent.join(""));
      expect(twice[1].stdout).toBe(twice[0].stdout);
    },
    testMs,
  );
});

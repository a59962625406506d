/**
 * Goal: `prove` shows the chain of a value of a running cluster to people and programs, also when
 * processes are dead, and its exit code says how far it could be shown.
 * Method: `up` from dist; its processes killed and stopped in turn.
 */
import { afterEach, describe, expect, it } from "vitest";
import { Town, testMs } from "../cluster/cluster.js";
import { Processes, until } from "./processes.js";

const processes = new Processes();
const stopped: number[] = [];

afterEach(async () => {
  for (const pid of stopped.splice(0)) process.kill(pid, "SIGCONT");
  await processes.clear();
});

/** The lines, without what differs from run to run. */
function told(text: string): string[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) =>
      line
        .replaceAll(/\b[0-9a-f]{32}\b/g, "DIGEST")
        .replaceAll(/\b[0-9a-f]{8}…/g, "DIGEST…")
        .replaceAll(/\d+\.p\d\.[0-9a-f]{4}…/g, "N.P")
        .replaceAll(/(slot|write|answer) \d+/g, "$1 N")
        .replaceAll(/as (learner|proposer) \w+ keeps/g, "as ONE keeps"),
    );
}

async function stop(town: Town, id: string): Promise<void> {
  const pid = await town.pidOf("acceptor", id);
  stopped.push(pid);
  process.kill(pid, "SIGSTOP");
}

describe("prove", () => {
  it(
    "shows the chain, under the leader and after it, and says what is missing",
    async () => {
      const town = await Town.bringUp(processes, await processes.folder(), ["--embedded"]);
      const run = (...args: string[]) => town.run("prove", ...args);
      const none = await run("1", "--json");
      expect(none.code).toBe(1);
      expect(JSON.parse(none.stdout).error.code).toBe("not_chosen");
      await town.run("propose", "one", "two");

      const shown = await town.start("prove", "2").ended;
      expect(shown).toMatchObject({ code: 0, stderr: "" });
      const lines = told(shown.stdout);
      const quorums = "(majority of 3: phase 1 2, phase 2 2)";
      expect(lines.slice(0, 3)).toEqual([
        'position 2 holds "two": slot N, value DIGEST',
        "(1) it is chosen, say l1, l2, l3",
        "⇐ (2) the proposal ⟨ballot N.P, value DIGEST…⟩ was accepted by a phase-2 quorum " +
          `${quorums}: their stores hold the votes, synced`,
      ]);
      const voted = "voted for it at ballot N.P (incarnation 1, write N)";
      expect(lines.filter((line) => line.endsWith(voted)).length).toBeGreaterThanOrEqual(2);
      expect(lines.slice(6)).toEqual([
        "⇐ (3) a phase-1 quorum promised ballot N.P (PMS §2.2, phase 1(b)), as ONE keeps it",
        expect.stringMatching(/^ {6}a\d {2}had accepted nothing in this slot \(incarnation 1, /),
        expect.stringMatching(/^ {6}a\d {2}had accepted nothing in this slot \(incarnation 1, /),
        '      so its leader was free to propose "any value" (PMS §2.2, phase 2(a))',
      ]);

      process.kill(await town.leaderPid(), "SIGKILL");
      await town.run("propose", "three");
      const json = await run("2", "--json");
      expect(json.code).toBe(0);
      const proof = JSON.parse(json.stdout) as Record<string, unknown>;
      expect(Object.keys(proof).join()).toBe(
        "position,value,slot,ballot,digest,learned,votesFrom,votes,promises,keptBy,highest," +
          "missing,contradictions",
      );
      expect(proof).toMatchObject({ position: 2, value: "two", votesFrom: "stores", missing: [] });
      const roundOf = (text: string) => Number(/\b(\d+)\.p\d\./.exec(text)?.[1]);
      expect(roundOf((await run("3", "--json")).stdout)).toBeGreaterThan(roundOf(shown.stdout));

      await stop(town, "a1");
      await stop(town, "a2");
      const few = await run("2");
      expect(few.code).toBe(3);
      expect(few.stdout).toMatch(/as counted by the learner; not all stores show it now/);
      expect(few.stdout).toMatch(/a1 {2}does not answer; a learner counts its vote|a2 {2}does not/);
      expect((await run("0")).code).toBe(2);
      expect((await run("9")).stderr).toBe("synod: position 9 is not chosen: the last one is 3\n");
    },
    testMs,
  );

  it(
    "after a restart of everything shows the votes, and says that the promises are not known",
    async () => {
      const cwd = await processes.folder();
      const args = ["--embedded", "--placement", "single"];
      const first = await Town.bringUp(processes, cwd, args);
      await first.run("propose", "one", "two", "three");
      const pids = await first.pids();
      for (const pid of pids) process.kill(pid, "SIGKILL");
      await first.up.ended;
      const again = await Town.bringUp(processes, cwd, args);
      await until(async () => (await again.run("chosen")).stdout === "one\ntwo\nthree\n");
      const { code, stdout } = await again.run("prove", "1");
      expect(code).toBe(0);
      expect(stdout).toMatch(/their stores hold the votes, synced/);
      expect(stdout).toMatch(/\n⇐ \(3\) not known\nnot shown: the promises of ballot \d+\.p/);
    },
    testMs,
  );
});

/**
 * Goal: `status --json` has every field of its contract, in every row, whoever runs; two
 * descriptors under one name show in the first line, and `why` says what to do.
 * Method: `up` from dist with one acceptor stopped, which then answers for nothing; and with a
 * learner of a second descriptor beside it.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { Status } from "../../src/client/control.js";
import { Town, testMs } from "../cluster/cluster.js";
import { Processes, until } from "./processes.js";

const processes = new Processes();
let stopped: number | undefined;

afterEach(async () => {
  if (stopped !== undefined) process.kill(stopped, "SIGCONT");
  stopped = undefined;
  await processes.clear();
});

const contract = [
  ...["role", "id", "pid", "data", "incarnation", "state", "promised", "chosenWatermark"],
  ...["appliedWatermark", "firstRetained", "stateHash", "elections", "nacks", "syncs", "dropped"],
];

describe("status --json", () => {
  it(
    "is one object with the fields of its contract, also for who does not answer",
    async () => {
      const town = await Town.bringUp(processes, await processes.folder(), ["--embedded"]);
      await town.run("propose", "one");
      await town.leaderPid();
      stopped = await town.pidOf("acceptor", "a2");
      process.kill(stopped, "SIGSTOP");
      const { stdout } = await town.run("status", "--json");
      expect(stdout.split("\n")).toHaveLength(2);
      const status = JSON.parse(stdout) as Record<string, unknown> & {
        roles: Record<string, unknown>[];
      };
      const fields = ["cluster", "server", "leader", "roles", "dropped"];
      expect(Object.keys(status).slice(0, fields.length)).toEqual(fields);
      expect(status["descriptors"]).toHaveLength(1);
      expect(status["leader"]).toEqual({
        id: expect.stringMatching(/^p[12]$/),
        ballot: expect.stringMatching(/^\d+\.p[12]\.[0-9a-f]{16}$/),
      });
      for (const row of status.roles) expect(Object.keys(row).slice(0, 15)).toEqual(contract);
      const rowOf = (id: string) => status.roles.find((row) => row["id"] === id);
      expect(rowOf("a2")).toMatchObject({ pid: null, state: "silent", syncs: null, dropped: {} });
      expect(rowOf("a1")).toMatchObject({
        ...{ state: "serving", incarnation: 1, firstRetained: 0, stateHash: null },
        promised: expect.stringMatching(/^\d+\.p[12]\.[0-9a-f]{16}$/),
        data: expect.stringMatching(/acceptor-a1$/),
      });
      expect(rowOf("l1")).toMatchObject({ data: null, appliedWatermark: expect.any(Number) });
      expect(rowOf("l1")?.["appliedWatermark"]).toBeGreaterThan(0);
    },
    testMs,
  );

  it.each([
    ["another cluster of this name", "wrong_cluster", (drawn: string, _own: string) => drawn],
    [
      "this cluster, edited",
      "wrong_epoch",
      (_drawn: string, own: string) => own.replace(/^epoch: 1\b/m, "epoch: 2"),
    ],
  ])(
    "two descriptors under one name: %s",
    async (_what, reason, describeOther) => {
      const args = ["--embedded", "--placement", "single"];
      const town = await Town.bringUp(processes, await processes.folder(), args);
      await town.leaderPid();
      const shared = JSON.parse((await town.run("status", "--json")).stdout) as { server: string };
      const drawn = (await town.run("format", "--new", "demo")).stdout;
      const own = await readFile(join(town.cwd, ".synod", "cluster.yaml"), "utf8");
      const folder = await processes.folder();
      const other = describeOther(drawn, own);
      expect(other).not.toBe(own);
      await writeFile(join(folder, "cluster.yaml"), other);
      const learner = ["worker", "learner:l9", "--nats", shared.server];
      const stranger = processes.start(learner, { cwd: folder });
      await stranger.says(/serving|running|connected/);
      await until(async () => (await town.run("status")).stdout.includes("learner         l9"));

      const { stdout } = await town.run("status");
      const [first] = stdout.split("\n");
      expect(first).toContain("2 different descriptors are served under this name");
      expect(first).toMatch(
        /\(acceptor a1, [^)]*\); id [0-9a-f]{32} epoch [12] [^(]*\(learner l9\)/,
      );
      const { descriptors } = JSON.parse((await town.run("status", "--json")).stdout) as Status;
      expect(descriptors.map(({ roles }) => roles.includes("learner l9"))).toEqual([false, true]);
      // A learner hears the beacons of the leader, which are those of another cluster.
      const why = (await town.run("why")).stdout;
      expect(why).toMatch(
        new RegExp(
          `^learner l9 waits for an operator.*same cluster.yaml.*${reason}, \\d+ times`,
          "m",
        ),
      );
    },
    testMs,
  );
});

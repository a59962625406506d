/**
 * Goal: `status --json` has every field of its contract, in every row, whoever runs.
 * Method: `up` from dist with one acceptor stopped, which then answers for nothing.
 */
import { afterEach, describe, expect, it } from "vitest";
import { Town, testMs } from "../cluster/cluster.js";
import { Processes } from "./processes.js";

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
      expect(Object.keys(status)).toEqual(["cluster", "server", "leader", "roles", "dropped"]);
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
});

/**
 * Goal: whatever dies, hangs, is cut off or fills up, and however often, nothing that was
 * acknowledged is lost, nothing takes effect twice, every reader gets one log, and the cluster is
 * well again by itself.
 * Method: a short run of a fixed schedule on real processes and three real nats-servers, under
 * load. `npm run chaos` does so for minutes.
 */
import { afterEach, describe, expect, it } from "vitest";
import { Processes } from "../cli/processes.js";
import { Chaos } from "./chaos/chaos.js";
import { drawSchedule, faultKinds, type Targets } from "./chaos/schedule.js";
import { judge, type LogEntry, type Seen } from "./chaos/verdict.js";
import { natsServerMissing, testMs } from "./cluster.js";

let chaos: Chaos | undefined;
afterEach(() => chaos?.end());

describe.skipIf(natsServerMissing !== undefined)(`chaos (${natsServerMissing ?? "real"})`, () => {
  it(
    "of ten seconds is survived",
    async () => {
      const said: string[] = [];
      const say = (line: string) => void said.push(line);
      const what = { seed: "1", placement: "separated", durationMs: 10_000 } as const;
      chaos = new Chaos(new Processes(), { ...what, say });
      const { failures, faults, counts, leftOut } = await chaos.run();
      expect({ failures, said: failures.length > 0 ? said : [] }).toEqual({
        failures: [],
        said: [],
      });
      for (const kind of faultKinds) {
        if (leftOut.some((why) => why.startsWith(`${kind}:`))) continue;
        expect({ kind, happened: faults[kind] > 0 }).toEqual({ kind, happened: true });
      }
      expect(counts["acknowledged"]).toBeGreaterThan(50);
      expect(counts["readers"]).toBe(4);
    },
    testMs,
  );
});

describe("a schedule", () => {
  const targets: Targets = {
    kill: ["a1", "a2"],
    pause: ["a1", "a2"],
    "kill-server": ["n1", "n2"],
    "pause-server": ["n1", "n2"],
    "cut-server": ["n2"],
    fill: ["a2"],
  };

  it("is that of its seed, holds every kind, and leaves a target to one fault at a time", () => {
    const draw = (seed: string) => drawSchedule(seed, 60_000, targets, ([letter = ""]) => letter);
    const drawn = draw("7");
    expect(draw("7")).toEqual(drawn);
    expect(draw("8")).not.toEqual(drawn);
    expect(new Set(drawn.map(({ kind }) => kind)).size).toBe(faultKinds.length);
    const places = new Map<string, number>();
    for (const { kind, target, atMs, forMs } of drawn) {
      const place = kind.endsWith("-server") ? "servers" : target;
      expect(atMs).toBeGreaterThanOrEqual(places.get(place) ?? 0);
      places.set(place, atMs + forMs);
      expect(atMs + forMs).toBeLessThanOrEqual(60_000);
    }
  });
});

describe("the judge of a load", () => {
  const log: LogEntry[] = ["a-1", "b-1", "a-2"].map((value, i) => ({
    position: i + 1,
    slot: 2 * i,
    value,
  }));
  const good: Seen = {
    told: [
      { client: "a", number: 1, value: "a-1", position: 1 },
      { client: "a", number: 2, value: "a-2", refused: false },
      { client: "b", number: 1, value: "b-1", position: 2 },
      { client: "b", number: 2, value: "b-2", refused: true },
    ],
    logs: [log, log],
    decided: [
      { key: "k", value: "x" },
      { key: "k", value: "x" },
    ],
  };
  const failuresOf = (change: Partial<Seen>) => judge({ ...good, ...change }).failures.join("; ");

  it("accepts a run in which all is well", () => {
    expect(judge(good)).toEqual({
      failures: [],
      counts: { acknowledged: 2, refused: 1, unknown: 1, chosen: 3, decided: 2, readers: 2 },
    });
  });

  it("finds each thing that may not be", () => {
    const [first, second, third] = log as [LogEntry, LogEntry, LogEntry];
    const both = (entries: LogEntry[]) => ({ logs: [entries, entries] });
    const [a1, a2, b1, b2] = good.told as [Seen["told"][0], ...Seen["told"][0][]];
    expect(failuresOf(both([first, second]))).toBe("");
    expect(failuresOf(both([second, third]))).toContain("position 2");
    expect(failuresOf(both([first, second, { ...first, position: 3 }]))).toContain("twice");
    expect(failuresOf({ logs: [log, log.slice(0, 2)] })).toContain("another log");
    const other = [first, second, { ...third, slot: 9 }];
    expect(failuresOf({ logs: [log, other] })).toContain("apart at 2");
    const moved = { ...a1, position: 2 };
    expect(failuresOf({ told: [moved, a2!, b1!, b2!] })).toContain("a-1 was acknowledged at 2");
    expect(failuresOf({ told: [a1, a2!, { ...b1!, refused: true }, b2!] })).toContain(
      "b-1 certainly did not happen",
    );
    expect(failuresOf({ told: [a2!, a1, b1!, b2!] })).toContain("a-1 overtook");
    expect(failuresOf({ told: [a1, a2!, b2!] })).toContain("b-1 was proposed by nobody");
    expect(failuresOf({ decided: [...good.decided, { key: "k", value: "y" }] })).toContain(
      "k was decided as x and as y",
    );
  });
});

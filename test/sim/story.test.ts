/**
 * Goal: a story is readable by somebody who knows only the paper, complete, and changes nothing.
 * Method: stories of drawn plans, and of plans written down here.
 */
import { describe, expect, it } from "vitest";
import { drawPlan } from "../../src/sim/plan/draw.js";
import { CALM, type Plan } from "../../src/sim/plan/plan.js";
import { type Run, runPlan } from "../../src/sim/run/run.js";
import { Names } from "../../src/sim/story/names.js";
import { reportOf, runInSteps } from "../../src/sim/story/report.js";
import { subjectOfViolation } from "../../src/sim/story/slice.js";
import { tellStory } from "../../src/sim/story/story.js";
import { earlyDisk } from "../support/early-disk.js";

/** A short run in calm weather; what is said of it is put on top. */
function quietPlan(change: Partial<Plan> = {}): Plan {
  return {
    seed: 1,
    setup: {
      family: "log",
      acceptors: 3,
      proposers: 2,
      quorums: { kind: "majority" },
      learn: { kind: "leader" },
      placement: "separated",
      limits: {},
      rates: {},
    },
    weather: CALM,
    latencyMs: 1,
    syncMs: 1,
    faults: [],
    requests: [],
    calmMs: 1500,
    ending: "healed",
    ...change,
  };
}

function linesOf(plan: Plan, isAll = false): string[] {
  const lines: string[] = [];
  const { violation } = runInSteps(plan, {}, { onLine: (line) => lines.push(line), isAll });
  expect(violation).toBeNull();
  return lines;
}

describe("a story", () => {
  it("changes nothing: the run is the same to the last byte", () => {
    const transcript = (look: (run: Run) => void) => {
      const seen: string[] = [];
      const listen = (run: Run) => {
        look(run);
        run.world.bus.connect("tap").subscribe(">", ({ subject, payload }) => {
          seen.push(
            `${run.world.clock.nowMs()} ${subject} ${Buffer.from(payload).toString("hex")}`,
          );
        });
      };
      runPlan(drawPlan(1014), { onReady: listen });
      return seen;
    };
    const plain = transcript(() => undefined);
    expect(plain.length).toBeGreaterThan(300);
    expect(transcript((run) => tellStory(run))).toEqual(plain);
  });

  it("tells a command from the client's wish to its answer, in order, without heartbeats", () => {
    const request = { kind: "propose", value: "ann", hasId: true } as const;
    const lines = linesOf(quietPlan({ requests: [{ atMs: 1000, client: "c1", request }] }));
    const told = lines.join("\n");
    const order = [
      /e\d → p. p. +hint: p1 should lead/,
      /p1 → a. a. a. +prepare 1\.p1 for every slot from 0 on/,
      /a\d +has synced: promise 1\.p1/,
      /a\d.* → p1 +promise 1\.p1: no votes/,
      /p1 +leads at 1\.p1/,
      /c1 +wants ⟨ann⟩ in the log/,
      /g1 → p1 +propose ⟨ann⟩/,
      /p1 → a. a. a. +accept 1\.p1 slot \d ⟨ann⟩/,
      /a\d +has synced: vote 1\.p1 slot \d ⟨ann⟩/,
      /a\d.* → p1 +accepted 1\.p1 slot \d ⟨ann⟩/,
      /CHOSEN +slot \d ⟨ann⟩ at 1\.p1, voted by a\d a\d/,
      /l\d.* +learns slot \d ⟨ann⟩/,
      /c1 +is told: ⟨ann⟩ is at position 1, slot \d/,
    ].map((pattern) => told.search(pattern));
    expect(order).not.toContain(-1);
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(told).not.toMatch(/beacon|follow|[0-9a-f]{16}/);
  });

  it("tells heartbeats if it is asked to", () => {
    expect(linesOf(quietPlan({ calmMs: 700 }), true).join("\n")).toMatch(/beacon 1\.p1/);
  });
});

describe("short names", () => {
  const owner = (nonce: string) => `p1.${nonce.padEnd(16, "0")}`;

  it("tell the lives of a proposer apart, and for each key anew", () => {
    const names = new Names();
    expect(names.ballot({ round: 1, owner: owner("a") })).toBe("1.p1");
    expect(names.ballot({ round: 4, owner: owner("b") })).toBe("4.p1'");
    expect(names.ballot({ round: 5, owner: owner("a") })).toBe("5.p1");
    expect(names.ballot({ round: 1, owner: owner("c") }, "k")).toBe("1.p1");
    expect(names.ballot({ round: 1, owner: owner("d") }, "k")).toBe("1.p1'");
    const sentence = `⟨4.${owner("b")}, ${"9".repeat(32)}⟩ is chosen`;
    expect(names.shorten(sentence)).toBe(`⟨4.p1', ${"9".repeat(32)}⟩ is chosen`);
  });
});

describe("a report of a violation", () => {
  const asked = (atMs: number, key: string) => {
    const request = { kind: "decide", key, value: `for ${key}` } as const;
    return { atMs, client: "d1", request };
  };
  // A crash between the answer and the sync: on a disk that answers early a vote is forgotten.
  const crash = { kind: "crash", process: "a1", fate: "lost", atWrite: true, downMs: 1 } as const;
  const plan = quietPlan({
    requests: [asked(700, "k1"), asked(900, "k2"), asked(1000, "k3")],
    faults: [{ atMs: 905, fault: crash }],
    syncMs: 40,
    calmMs: 2000,
  });
  const COLUMNS = ["d1", "s1", "a1", "a2", "a3", "l1", "l2", "l3"];
  const { result, sentence, lines, diagram } = reportOf(plan, earlyDisk);
  const told = lines.join("\n");

  it("tells what matters for the key or slot that it names, and nothing of others", () => {
    expect(result.violation?.invariant).toBe("nothingForgotten");
    const about = subjectOfViolation(result.violation as never);
    expect(about).toEqual({ key: expect.stringMatching(/^k[23]$/), slot: 0 });
    expect(told).toContain(`for key ${about?.key}`);
    expect(told).not.toContain("k1");
    expect(told).toMatch(/a1 +is killed/);
    expect(told).toMatch(/FAULT +a1 is to crash while it writes/);
    expect(told).toMatch(/a1 +starts again$/m);
    expect(lines.length).toBeLessThan(30);
  });

  it("says what was broken under the names of its lines", () => {
    expect(sentence).toMatch(/a1 came back and has forgotten/);
    expect(sentence).not.toMatch(/[0-9a-f]{16}/);
  });

  it("draws the same, with no more arrows than are asked for", () => {
    const drawn = diagram.trimEnd().split("\n");
    expect(drawn[0]).toBe("sequenceDiagram");
    const participants = drawn.filter((line) => line.startsWith("  participant "));
    expect(participants.map((line) => line.slice(14))).toEqual(COLUMNS);
    const form = /^ {2}(participant \w+|\w+(->>|--x)\w+: [^;#]+|Note over \w+(,\w+)?: [^;#]+)$/;
    for (const line of drawn.slice(1)) expect(line).toMatch(form);
    expect(diagram).toMatch(/^ {2}s1->>a1: prepare 1\.s1 for key k\d$/m);
    const few = reportOf(plan, earlyDisk, { arrowsMax: 5 }).diagram.trimEnd().split("\n");
    expect(few.length).toBe(1 + participants.length + 1 + 5);
    expect(few.join("\n")).toMatch(/Note over \w+,\w+: \d+ earlier arrows and notes are left out/);
  });

  it("keeps to its length, and says how much it leaves out", () => {
    const short = reportOf(plan, earlyDisk, { linesMax: 6 }).lines;
    expect(short.length).toBeLessThanOrEqual(6);
    expect(short.join("\n")).toMatch(/\d+ lines are left out/);
  });

  it("finds out what a sentence is about", () => {
    const about = (sentence: string, invariant = "agreement") =>
      subjectOfViolation({ invariant, sentence });
    expect(about('in key "a \\"b" two are chosen')).toEqual({ key: 'a "b', slot: 0 });
    expect(about("a1 has forgotten key k1")).toEqual({ key: "k1", slot: 0 });
    expect(about("in slot 12 two are chosen")).toEqual({ key: null, slot: 12 });
    expect(about("published x (slot 3) at position 1", "oneFeed")).toBeNull();
    expect(about("3 elections although nothing went wrong")).toBeNull();
  });
});

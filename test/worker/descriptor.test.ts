/**
 * Goal: a descriptor says who may act, and says all that is wrong with it, each with its place.
 * Method: texts with errors against the sentences they must get; drawn clusters there and back.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSeededRandom } from "../../src/adapters/memory/random.js";
import { DEFAULT_LIMITS } from "../../src/paxos/limits.js";
import {
  DescriptorError,
  drawCluster,
  parseDescriptor,
  readDescriptor,
  writeDescriptor,
} from "../../src/worker/descriptor.js";
import { LIMIT_RANGES } from "../../src/worker/descriptor-schema.js";

const random = createSeededRandom(7);
const drawn = drawCluster({ name: "demo", acceptors: 3, proposers: 2, random });
const text = writeDescriptor(drawn);

/** What is wrong with a text, one line a problem. */
function problems(of: string): string[] {
  try {
    parseDescriptor(of, "c.yaml");
    return [];
  } catch (error) {
    if (!(error instanceof DescriptorError)) throw error;
    return error.message.split("\n");
  }
}

describe("a drawn descriptor", () => {
  it("is read back as it was, whatever its names look like", () => {
    const names = fc.stringMatching(/^[a-z0-9_-]{1,32}$/);
    const special = fc.constantFrom("null", "true", "no", "1e3", "0x10", "123", "-", "on");
    fc.assert(
      fc.property(fc.oneof(names, special), fc.integer({ min: 1, max: 9 }), (name, count) => {
        const cluster = drawCluster({ name, acceptors: count, proposers: 1, random });
        expect(parseDescriptor(writeDescriptor(cluster), "c.yaml")).toEqual(cluster);
      }),
    );
  });

  it("keeps quorums, ways of learning and limits that are not the usual ones", () => {
    const flexible = drawCluster({
      name: "f",
      acceptors: 4,
      proposers: 1,
      random,
      quorums: { kind: "flexible", phase1: 3, phase2: 2 },
      learn: { kind: "some", learners: ["l1", "null"] },
      limits: { beaconMs: 50, windowMax: 8 },
    });
    const grid = {
      ...flexible,
      quorums: {
        kind: "grid",
        rows: [
          ["a1", "a2"],
          ["a3", "a4"],
        ],
      },
    };
    for (const cluster of [flexible, { ...grid, learn: { kind: "all" } } as typeof flexible]) {
      expect(parseDescriptor(writeDescriptor(cluster), "c.yaml")).toEqual(cluster);
    }
    expect(writeDescriptor(flexible)).toContain("  beaconMs: 50\n");
    expect(writeDescriptor(flexible)).not.toContain("suspectMs");
  });

  it("needs no quotes where ids look like numbers", () => {
    const bare = text.replaceAll('"', "").replace("id: a1", "id: 1e3");
    expect(parseDescriptor(bare, "c.yaml").acceptors[0]).toEqual({
      id: "1e3",
      storeId: drawn.acceptors[0]?.storeId,
    });
    expect(parseDescriptor(bare, "c.yaml").clusterId).toBe(drawn.clusterId);
  });

  it("has defaults inside their own ranges", () => {
    for (const [name, [least, most]] of Object.entries(LIMIT_RANGES)) {
      const value = DEFAULT_LIMITS[name as keyof typeof DEFAULT_LIMITS];
      expect([name, least <= value && value <= most]).toEqual([name, true]);
    }
  });
});

const broken = `synod: 2
name: Hi There
id: 12
epoc: 1
acceptors: [{id: a1}]
proposers: 3
limits: {windowMx: 3, beaconMs: hello, windowMax: 0}
quorums: {flexible: {phase1: x, fase2: 1}}
learn: sum
`;

describe("a descriptor with errors", () => {
  it("names all of them, each with its place and what to do", () => {
    expect(problems(broken)).toEqual([
      "c.yaml:1:1: epoch is missing: it must be a whole number from 1 to 2147483647",
      "c.yaml:1:8: synod must be 1, the version of this format, not 2",
      'c.yaml:2:7: name must be 1 to 32 characters out of a-z, 0-9, _ and -, not "Hi There"',
      "c.yaml:3:5: id must be 32 hexadecimal digits (0-9, a-f) in quotes, as `synod format` " +
        'prints them, not "12"',
      "c.yaml:4:1: unknown key epoc: did you mean epoch?",
      "c.yaml:5:13: acceptors[0].store is missing: it must be 32 hexadecimal digits (0-9, a-f) " +
        "in quotes, as `synod format` prints them",
      "c.yaml:6:12: proposers must be a list of 1 to 64 proposers, each { id: …, store: … }, not 3",
      "c.yaml:7:10: unknown key limits.windowMx: did you mean windowMax?",
      'c.yaml:7:33: limits.beaconMs must be a whole number from 10 to 60000, not "hello"',
      "c.yaml:7:51: limits.windowMax must be a whole number from 1 to 4096, not 0",
      "c.yaml:8:21: quorums.flexible.phase2 is missing: it must be a whole number from 1 to 64",
      'c.yaml:8:30: quorums.flexible.phase1 must be a whole number from 1 to 64, not "x"',
      "c.yaml:8:33: unknown key quorums.flexible.fase2: did you mean phase2?",
      'c.yaml:9:8: learn must be leader, all or { some: [l1] }, not "sum"',
    ]);
  });

  it("says what is unsafe although it is well written", () => {
    const store = drawn.acceptors[0]?.storeId ?? "";
    const unsafe = text
      .replace("quorums: majority", "quorums: { flexible: { phase1: 1, phase2: 2 } }")
      .replace("id: a2", "id: a1")
      .replace(drawn.proposers[0]?.storeId ?? "", store)
      .replace("  windowMax: 64", "  windowMax: 64\n  suspectMs: 60");
    expect(problems(unsafe)).toEqual([
      "c.yaml:9:11: acceptors name a1 twice: every one needs an id of its own",
      "c.yaml:12:22: proposers[0] has the store of acceptors[0]: draw one with `synod format`",
      "c.yaml:18:14: limits.beaconMs (100) must not be above limits.suspectMs (60): change one " +
        "of them",
    ]);
    const disjoint = text.replace("majority", "{ flexible: { phase1: 1, phase2: 2 } }");
    expect(problems(disjoint)).toEqual([
      "c.yaml:14:10: quorums: the quorums {a1} (phase 1) and {a2, a3} (phase 2) have no acceptor " +
        "in common, so two values could be chosen: make phase1 + phase2 greater than 3",
    ]);
    const grid = text.replace("majority", "{ grid: [[a1], [a2, a7]] }");
    expect(problems(grid)).toEqual([
      "c.yaml:14:10: quorums: acceptor a3 stands 0 times in the grid: name it exactly once",
      "c.yaml:14:10: quorums: the grid names a7, which is not an acceptor",
    ]);
  });

  it("goes on behind a key that stands there twice", () => {
    const twice = text.replace("  windowMax: 64", "  windowMax: 64\n  windowMax: 3\n  beaconMs: 1");
    expect(problems(twice)).toEqual([
      "c.yaml:18:3: this key stands here twice: keep one of them",
      "c.yaml:19:13: limits.beaconMs must be a whole number from 10 to 60000, not 1",
    ]);
  });

  it("refuses a second document, whatever is in it", () => {
    const second = "a second document begins here: a descriptor is one document, remove this one";
    const line = text.split("\n").length;
    expect(problems(`${text}---\nlimits: { windowMax: 0 }\n`)).toEqual([
      expect.stringMatching(`^c\\.yaml:${line}:\\d+: ${second}$`),
    ]);
    const both = problems(`${text.replace("windowMax: 64", "windowMax: 0")}---\na: [\n`);
    expect(both[0]).toMatch("limits.windowMax");
    expect(both[1]).toMatch(second);
    // Markers around the one document are fine.
    expect(problems(`---\n${text}...\n`)).toEqual([]);
  });

  it("refuses what is no such file", () => {
    const root = "the descriptor must be a mapping that begins with `synod: 1`";
    expect(problems("")).toEqual([`c.yaml:1:1: ${root}, not empty`]);
    expect(problems("[]")).toEqual([`c.yaml:1:1: ${root}, not []`]);
    expect(problems("a: [")[0]).toMatch(/^c\.yaml:1:5: this is not valid YAML: /);
    expect(problems("a: &x 1\nb: *x")[0]).toMatch(/^c\.yaml:2:4: aliases \(\*name\)/);
    expect(problems("a: &x [*x]")[0]).toMatch(/^c\.yaml:1:\d+: /);
    expect(problems("x".repeat(2_000_000))[0]).toMatch(/at most 1048576 bytes/);
  });

  it("never throws anything else", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), fc.nat(text.length), (noise, at) => {
        problems(noise);
        problems(text.slice(0, at) + noise + text.slice(at));
      }),
    );
  });

  it("says that there is no file", async () => {
    await expect(readDescriptor("no/such.yaml")).rejects.toThrow(
      "no/such.yaml:1:1: there is no such file: name the cluster's descriptor, or make one with " +
        "`synod format`",
    );
  });
});

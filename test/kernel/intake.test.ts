/**
 * Goal: nobody speaks under a name that is not theirs: subject, descriptor and store must agree,
 * an older copy is objected to, a living twin is found.
 * Method: real envelopes, each wrong in one thing.
 */
import { describe, expect, it } from "vitest";
import { createCodec } from "../../src/adapters/msgpackr/codec.js";
import { Intake } from "../../src/kernel/bus/intake.js";
import type { Incoming, Transport } from "../../src/kernel/ports.js";
import type { Runner } from "../../src/kernel/runner.js";
import type { Cluster } from "../../src/paxos/cluster.js";
import type { Message, Sender } from "../../src/paxos/wire/messages.js";
import { ballot, sender, testCluster } from "../support/steps.js";

const HERE = "0123456789abcdef";
const space = { prefix: "synod", cluster: "test" };
const cluster = testCluster();
const codec = createCodec(cluster);
const a1 = (rest: Partial<Sender> = {}) => sender("acceptor", "a1", { incarnation: 3, ...rest });
const p1 = sender("proposer", "p1");
const prepare: Message = { type: "prepare", ballot: ballot(1), fromSlot: 0 };
const nack: Message = {
  type: "nack",
  ballot: ballot(1),
  promised: null,
  slot: null,
  reason: "stale",
};
const hello: Message = { type: "hello", openings: [{ incarnation: 3, writeNumber: 5 }] };

/** A message as it comes from the bus; the subject is the honest one unless told. */
function from(who: Sender, message: Message, fromId = who.id, lc = 1): Incoming {
  const subject = `synod.test.learner.${message.type}.all.${fromId}`;
  const payload = codec.encode(who, lc, message);
  return { subject, payload, headers: undefined, reply: undefined };
}

/** A message of the listed proposer, whose process was given another descriptor. */
function under(change: Partial<Cluster>): Incoming {
  const payload = createCodec({ ...cluster, ...change }).encode(p1, 1, prepare);
  return { ...from(p1, prepare), payload };
}

function bench() {
  const counts: string[] = [];
  const warnings: string[] = [];
  const objections: [string, Message, Sender][] = [];
  const transport = {
    publish: (subject: string, payload: Uint8Array) => {
      const envelope = codec.decode("objection", payload);
      if (!("fault" in envelope)) objections.push([subject, envelope.message, envelope.sender]);
    },
  } as unknown as Transport;
  const intake = new Intake({
    cluster,
    space,
    transport,
    codec,
    nonce: HERE,
    count: (reason) => counts.push(reason),
    logger: {
      debug: () => undefined,
      info: () => undefined,
      warn: (_, message) => warnings.push(message),
      error: () => undefined,
    },
  });
  return { intake, counts, warnings, objections };
}

describe("a message is taken", () => {
  it.each([
    ["a listed acceptor with its store", a1(), nack],
    ["a listed proposer with its store", p1, prepare],
    [
      "a role that nobody lists",
      sender("elector", "e9"),
      { type: "hint", candidate: "p1", suspects: null } as const,
    ],
  ])("from %s", (_, who, message) => {
    const { intake, counts } = bench();
    expect(intake.open(from(who, message))).toMatchObject({ sender: who, message });
    expect(counts).toEqual([]);
  });

  it("and moves the clock beyond what it says", () => {
    const { intake } = bench();
    expect(intake.nextClock()).toBe(1);
    intake.open(from(p1, prepare, "p1", 40));
    expect(intake.nextClock()).toBe(42);
    intake.open(from(p1, prepare, "p1", 7));
    expect(intake.nextClock()).toBe(44);
  });
});

describe("a message is dropped, and counted", () => {
  it.each<[string, Incoming]>([
    ["wrong_subject", { ...from(p1, prepare), subject: "synod.other.learner.prepare.all.p1" }],
    ["wrong_subject", { ...from(p1, prepare), subject: "synod.test.prepare.p1" }],
    ["wrong_sender", from(p1, prepare, "p2")],
    ["wrong_role", from(a1(), prepare)],
    ["unknown_member", from(sender("acceptor", "a9"), nack)],
    ["wrong_store", from(a1({ storeId: "c1".repeat(16) }), nack)],
    ["undecodable", { ...from(p1, prepare), payload: Uint8Array.of(1, 2, 3) }],
    ["wrong_cluster", under({ clusterId: "f".repeat(32) })],
    ["wrong_epoch", under({ epoch: 2 })],
    ["wrong_epoch", under({ quorums: { kind: "flexible", phase1: 1, phase2: 3 } })],
  ])("%s", (reason, incoming) => {
    const { intake, counts, warnings } = bench();
    expect(intake.open(incoming)).toBeUndefined();
    expect(counts).toEqual([reason]);
    expect(warnings).toEqual([`dropped a message: ${reason}`]);
  });

  it("and does not move the clock, nor make the witness believe it", () => {
    const { intake, objections } = bench();
    intake.open(from(a1({ incarnation: 9 }), nack, "a2", 40));
    expect(intake.nextClock()).toBe(1);
    intake.open(from(a1(), hello));
    expect(objections).toEqual([]);
  });

  it("is no witness's matter if nobody lists its role, whatever store it names", () => {
    const { intake, counts, objections } = bench();
    const { storeId } = a1();
    const hint = { type: "hint", candidate: "p1", suspects: null } as const;
    intake.open(from(sender("elector", "e9", { storeId, incarnation: 9 }), hint));
    intake.open(from(a1(), hello));
    expect([objections, counts]).toEqual([[], []]);
  });

  it("but not counted if it is our own: it was heard in this process already", () => {
    const { intake, counts } = bench();
    expect(intake.open(from({ ...p1, process: HERE }, prepare))).toBeUndefined();
    expect(counts).toEqual([]);
  });

  it("and logged at the first, then at every thousandth", () => {
    const { intake, warnings } = bench();
    for (let n = 0; n < 2000; n++) intake.open(from(p1, prepare, "p2"));
    expect(warnings).toHaveLength(3);
  });
});

describe("a starting store", () => {
  it("is objected to if it is older than what was seen of it", () => {
    const { intake, counts, objections } = bench();
    intake.open(from(a1({ incarnation: 4, writeNumber: 20 }), nack));
    expect(intake.open(from(a1(), hello))).toBeUndefined();
    expect(counts).toEqual(["objections"]);
    expect(objections).toEqual([
      [
        "synod.test.acceptor.objection.a1.witness",
        { type: "objection", reason: "older_copy", incarnation: 4, writeNumber: 20 },
        expect.objectContaining({ role: "learner", id: "witness", process: HERE }),
      ],
    ]);
  });

  it("is welcome otherwise, and nobody else hears its hello", () => {
    const { intake, objections, counts } = bench();
    intake.open(from(a1({ incarnation: 2, writeNumber: 4 }), nack));
    expect(intake.open(from(a1(), hello))).toBeUndefined();
    expect([objections, counts]).toEqual([[], []]);
  });
});

describe("a twin", () => {
  const meeting = (incoming: Incoming, halted: string | null = null) => {
    const { intake, objections } = bench();
    const told: string[] = [];
    const runner = {
      halted,
      sender: a1({ process: HERE, writeNumber: 8 }),
      tell: ({ type }: { type: string }) => told.push(type),
    } as unknown as Runner;
    intake.meetTwin(runner, incoming);
    return { told, objections };
  };

  it.each([
    ["of the same life", a1()],
    ["of a later life", a1({ incarnation: 4 })],
  ])("that speaks halts the role here: %s", (_, who) => {
    expect(meeting(from(who, nack))).toEqual({ told: ["twin.heard"], objections: [] });
  });

  it("that starts is objected to: the name is in use", () => {
    const { told, objections } = meeting(from(a1({ incarnation: 4 }), hello));
    expect([told, objections.map(([subject, message]) => [subject, message])]).toEqual([
      [],
      [
        [
          "synod.test.acceptor.objection.a1.witness",
          { type: "objection", reason: "name_in_use", incarnation: 3, writeNumber: 8 },
        ],
      ],
    ]);
  });

  it.each<[string, Incoming]>([
    ["a late message of an earlier life", from(a1({ incarnation: 2 }), nack)],
    ["this process itself", from(a1({ process: HERE }), nack)],
    ["another role of that name", from(sender("learner", "a1"), { type: "chosen", ranges: [] })],
    ["somebody with another store", from(a1({ storeId: "c1".repeat(16) }), nack)],
    ["noise", { ...from(a1(), nack), payload: Uint8Array.of(9) }],
    ["another cluster", { ...from(a1(), nack), subject: "synod.other.x.nack.all.a1" }],
  ])("is not %s", (_, incoming) => {
    expect(meeting(incoming)).toEqual({ told: [], objections: [] });
  });

  it("is no matter to a role that has stopped", () => {
    expect(meeting(from(a1(), nack), "stopped")).toEqual({ told: [], objections: [] });
  });
});

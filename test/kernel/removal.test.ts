/**
 * Goal: a role that halted is gone for the roles beside it and for the bus; roles of one process
 * that share a queue group take turns.
 * Method: roles that do what their events say, on the memory bus.
 */
import { describe, expect, it } from "vitest";
import { subjectOf } from "../../src/kernel/bus/subject.js";
import { send } from "../../src/kernel/effect.js";
import type { Host } from "../../src/kernel/host.js";
import type { Answer } from "../../src/kernel/ports.js";
import type { RoleDefinition } from "../../src/kernel/role.js";
import type { Message } from "../../src/paxos/wire/messages.js";
import { World } from "../../src/sim/world/world.js";
import { sender, testCluster } from "../support/steps.js";
import { obedientRole } from "./running.js";

const LIMIT_MS = 50;

const opening = (at: number): Message => {
  return { type: "open-session", session: at.toString(16).padStart(32, "0"), fresh: true };
};

/** A world whose processes run obedient roles; `received` names who received what. */
function bench() {
  const received: string[] = [];
  const ignore = () => undefined;
  const world = new World({
    cluster: testCluster(),
    seed: 1,
    observe: (node) => ({
      stepped: ({ id }, _, event) => {
        if (event !== null && "received" in event)
          received.push(`${node.name} ${id} ${event.type}`);
        if (event !== null && "neighbours" in event) {
          const beside = event.neighbours.map(({ role, id: its }) => `${role} ${its}`);
          received.push(`${id} beside ${beside.join(", ")}`);
        }
      },
      ...{ committed: ignore, refused: ignore, leaves: ignore },
    }),
  });
  const { prefix, name } = { prefix: "synod", name: world.cluster.name };
  const subject = (...[role, verb, id, from]: readonly [string, string, string, string]) =>
    subjectOf({ prefix, cluster: name }, role as never, verb, id, from);
  const start = (process: string) => world.start(process, []).host as Host;
  const add = (host: Host, definition: Partial<RoleDefinition>, id: string) =>
    host.add(obedientRole({ stateful: false, ...definition }), id, null);
  const client = world.bus.connect("client");
  const ask = (about: string) => {
    const answers: Answer["kind"][] = [];
    client.request(about, new Uint8Array(0), { timeoutMs: LIMIT_MS }, ({ kind }) => {
      answers.push(kind);
    });
    world.clock.advance(2 * LIMIT_MS);
    return answers;
  };
  const publish = (to: string, from: ReturnType<typeof sender>, message: Message) => {
    client.publish(to, world.codec.encode(from, 1, message).slice());
    world.clock.advance(1);
  };
  return { world, received, subject, start, add, ask, publish };
}

describe("a role that halted", () => {
  it("does not shadow the one that moved elsewhere", () => {
    const { world, received, start, add } = bench();
    const [one, two] = [start("one"), start("two")];
    const session = add(one, { name: "session" }, "c1");
    add(one, { name: "gateway" }, "g1").halt("it moved");
    add(two, { name: "gateway" }, "g1");
    const effects = [send("gateway", "g1", opening(1))];
    session.tell({ type: "do", ...{ effects } });
    world.clock.advance(5);
    expect(received).toEqual(["two g1 open-session"]);
  });

  it("answers no ping any more: the server says at once that nobody does", () => {
    const { subject, start, add, ask } = bench();
    const proposer = add(start("one"), { name: "proposer", answersPings: true }, "p1");
    const ping = subject("proposer", "ping", "p1", "e1");
    expect(ask(ping)).toEqual(["answer"]);
    proposer.halt("enough");
    expect(ask(ping)).toEqual(["no_responders"]);
  });

  it("leaves no subscription when it is removed, and those it shared to the others", () => {
    const { subject, start, add, ask } = bench();
    const host = start("one");
    const [first, second] = ["s1", "s2"].map((id) => add(host, { name: "session" }, id));
    const results = (id: string) => ask(subject("session", "results", id, "g1"));
    if (first !== undefined) host.remove(first);
    expect(host.runners).toEqual([second]);
    expect([results("s1"), results("s2")]).toEqual([["no_responders"], ["timeout"]]);
  });
});

describe("roles of one process that share a queue group", () => {
  it("take turns: each message reaches one of them", () => {
    const { received, subject, start, add, publish } = bench();
    const host = start("one");
    for (const id of ["g1", "g2", "g3"]) add(host, { name: "gateway" }, id);
    for (let at = 0; at < 6; at++) {
      publish(
        subject("gateway", "open-session", "all", "c1"),
        sender("session", "c1"),
        opening(at),
      );
    }
    const each = ["g1", "g2", "g3"].map((id) => `one ${id} open-session`);
    expect(received).toEqual([...each, ...each]);
  });

  it("pass a turn on when one of them halts", () => {
    const { received, subject, start, add, publish } = bench();
    const host = start("one");
    const [first] = ["g1", "g2"].map((id) => add(host, { name: "gateway" }, id));
    first?.halt("enough");
    for (let at = 0; at < 2; at++) {
      publish(
        subject("gateway", "open-session", "all", "c1"),
        sender("session", "c1"),
        opening(at),
      );
    }
    expect(received).toEqual(["one g2 open-session", "one g2 open-session"]);
  });

  it("take one message of a role beside them, and the bus none", () => {
    const { world, received, start, add } = bench();
    const [one, two] = [start("one"), start("two")];
    for (const id of ["g1", "g2"]) add(one, { name: "gateway" }, id);
    add(two, { name: "gateway" }, "g3");
    const effects = [{ kind: "broadcast", role: "gateway", message: opening(1) }];
    add(one, { name: "session" }, "c1").tell({ type: "do", ...{ effects } });
    world.clock.advance(5);
    expect(received).toEqual(["one g1 open-session"]);
  });
});

describe("a role that heeds its neighbours", () => {
  it("receives who runs beside it whenever that changes", () => {
    const { world, received, start, add } = bench();
    const host = start("p");
    add(host, { name: "learner" }, "l1");
    add(host, { name: "proposer", heedsNeighbours: true }, "p1");
    const gateway = add(host, { name: "gateway" }, "g1");
    world.clock.advance(1);
    gateway.halt("ends");
    world.clock.advance(1);
    expect(received).toEqual(["p1 beside learner l1, gateway g1", "p1 beside learner l1"]);
  });
});

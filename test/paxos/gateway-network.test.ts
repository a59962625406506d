/**
 * Goal: whatever a network does to proposals and outcomes, every command takes effect once, in the
 * order of its session, and its outcome is told once.
 * Method: the real gateway's rules against the real rules of the log, with messages lost, repeated
 * and late, and leaders that change; then a calm network, and everything is done.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Outcome, Propose } from "../../src/paxos/wire/messages.js";
import { GatewayBench } from "../support/gateway-world.js";

/** What happens next: to the first message under way (`late`: to another), or beside it. */
const fate = fc.record({
  what: fc.constantFrom("pass", "pass", "pass", "lose", "twice", "late", "mute", "leader", "ask"),
  pick: fc.nat({ max: 5 }),
});
type Fate = { readonly what: string; readonly pick: number };

/** A gateway, its clients, and a network that does what a fate says. */
class Network {
  readonly bench = new GatewayBench({ batchCommandsMax: 2, retryDelayMs: 20 });
  readonly sessions: readonly string[];
  readonly #underWay: Propose[] = [];
  /** The results told, by session and number. */
  readonly told = new Map<string, Map<number, number>>();
  readonly asked = new Map<string, number>();
  readonly receipts: string[] = [];
  doors = 0;
  early = 0;
  toldTwice = 0;
  overdue = 0;

  constructor() {
    this.bench.openOwn();
    this.sessions = ["s", "t"].map((name) => this.bench.open(name));
    for (const session of this.sessions) {
      this.told.set(session, new Map());
      this.asked.set(session, 0);
    }
  }

  /** A client asks for two more, and somebody comes through the door. */
  ask(session: string): void {
    const asked = this.asked.get(session) as number;
    this.asked.set(session, asked + 2);
    this.bench.hold(session, asked + 1, asked + 2);
    if (this.bench.holdDoor(`door ${this.doors}`)) this.doors++;
  }

  act({ what, pick }: Fate): void {
    const { bench } = this;
    bench.nowMs += 10;
    if (bench.isOverdue()) {
      this.overdue++;
      bench.sendAllAgain();
    }
    this.#underWay.push(...bench.take());
    if (what === "ask") this.ask(this.sessions[pick % 2] as string);
    else if (what === "leader") bench.sendAllAgain();
    else this.#move(what, what === "late" ? pick % Math.max(1, this.#underWay.length) : 0);
  }

  #move(what: string, at: number): void {
    const message = this.#underWay[at];
    if (message === undefined) return;
    if (what !== "twice") this.#underWay.splice(at, 1);
    if (what === "lose") return;
    const outcomes = this.bench.choose(message);
    if (what !== "mute") this.#hear(outcomes);
  }

  #hear(outcomes: readonly Outcome[]): void {
    this.early += outcomes.filter(({ kind }) => kind === "early").length;
    const settled = this.bench.hear(...outcomes);
    for (const [session, results] of settled.results) {
      const told = this.told.get(session) as Map<number, number>;
      for (const { number, position } of results) {
        if (told.has(number)) this.toldTwice++;
        told.set(number, position);
      }
    }
    this.receipts.push(...settled.receipts.map(({ token }) => token));
  }
}

/** Runs the fates, then a calm network until nothing is held. */
function run(fates: readonly Fate[]): Network {
  const network = new Network();
  for (const session of network.sessions) network.ask(session);
  for (const one of fates) network.act(one);
  for (let calm = 0; calm < 5000 && network.bench.state.heldBytes > 0; calm++) {
    network.act({ what: "pass", pick: 0 });
  }
  return network;
}

describe("any network", () => {
  it("completes every command once, in order", () => {
    const total = { early: 0, overdue: 0 };
    fc.assert(
      fc.property(fc.array(fate, { maxLength: 150 }), (fates) => {
        const network = run(fates);
        const { bench } = network;
        expect([bench.state.heldBytes, bench.state.underWayBytes]).toEqual([0, 0]);
        const bodies = bench.bodies();
        expect(new Set(bodies).size).toBe(bodies.length);
        for (const [session, told] of network.told) {
          const numbers = [...told.keys()].sort((a, b) => a - b);
          expect(numbers).toEqual(numbers.map((_, at) => at + 1));
          expect(numbers).toHaveLength(network.asked.get(session) as number);
          const log = numbers.map((number) => bodies[(told.get(number) as number) - 1]);
          expect(log).toEqual(numbers.map((number) => `${session.slice(0, 4)}/${number}`));
          const positions = numbers.map((number) => told.get(number) as number);
          expect(positions).toEqual([...positions].sort((a, b) => a - b));
        }
        const doors = Array.from({ length: network.doors }, (_, at) => `door ${at}`);
        expect(bodies.filter((body) => body.startsWith("door"))).toEqual(doors);
        expect(new Set(network.receipts)).toEqual(new Set(doors));
        expect([network.receipts.length, network.toldTwice]).toEqual([doors.length, 0]);
        total.early += network.early;
        total.overdue += network.overdue;
      }),
      { numRuns: 200 },
    );
    expect(total.early).toBeGreaterThan(0);
    expect(total.overdue).toBeGreaterThan(0);
  });
});

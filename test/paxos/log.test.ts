/**
 * Goal: what took effect, its positions and its outcomes are a function of the log alone.
 * Method: the rules one by one; then any schedule of repeats, losses and reorderings, applied by
 * two
 * learners and held against a model that remembers everything.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Command, encodeCommand } from "../../src/paxos/command.js";
import { DEFAULT_LIMITS, type Limits } from "../../src/paxos/limits.js";
import { type Applied, applyEntry, LogState } from "../../src/paxos/log/log.js";
import { encodeBatch, NOOP } from "../../src/paxos/value.js";
import type { ChosenEntry } from "../../src/paxos/wire/messages.js";
import { sessionId } from "../support/gateway-world.js";
import { at, bytes } from "../support/log-messages.js";

function entryOf(slot: number, value: Uint8Array): ChosenEntry {
  return { slot, ballot: at(1), value, syncedBy: ["a0", "a1"] };
}

function opening(session: string): Uint8Array {
  return encodeCommand({ kind: "open", session: sessionId(session), gateway: "g1" });
}

function asking(
  session: string,
  number: number,
  answeredBelow = 1,
  id = "",
  openedIn: number | null = null,
): Uint8Array {
  const text = `${session}/${number}`;
  const command: Command = {
    kind: "request",
    session: sessionId(session),
    openedIn,
    number,
    answeredBelow,
    gateway: "g1",
    id,
    type: "string",
    body: bytes(text),
  };
  return encodeCommand(command);
}

/** A learner's log, and its next slot. */
class Bench {
  readonly state: LogState;
  slot: number;
  voters: readonly string[] = ["a0", "a1"];

  constructor(limits: Limits = DEFAULT_LIMITS, state = new LogState(limits)) {
    this.state = state;
    this.slot = state.lastSlot + 1;
  }

  apply(value: Uint8Array): Applied {
    const entry = entryOf(this.slot++, value);
    return applyEntry(this.state, { ...entry, syncedBy: this.voters });
  }

  batch(...commands: readonly Uint8Array[]): Applied {
    return this.apply(encodeBatch(commands));
  }
}

/** What became of the commands, short. */
function shortly({ outcomes }: Applied): string[] {
  return outcomes.map(({ outcome }) => {
    if (outcome.kind === "done") return `done ${outcome.position}`;
    return outcome.kind === "early" ? `early ${outcome.expected}` : outcome.kind;
  });
}

const texts = ({ entries }: Applied) => entries.map(({ body }) => new TextDecoder().decode(body));

describe("applying", () => {
  it("gives dense positions to what took effect, with slot, ballot and who has it", () => {
    const bench = new Bench();
    bench.apply(NOOP);
    bench.batch(opening("s"));
    const applied = bench.batch(asking("s", 1), asking("s", 1), asking("s", 3), asking("s", 2));
    expect(applied.entries.map(({ position, slot }) => [position, slot])).toEqual([
      [1, 2],
      [2, 2],
    ]);
    expect(applied.entries[0]).toMatchObject({
      ballot: at(1),
      syncedBy: ["a0", "a1"],
      type: "string",
    });
    expect(texts(applied)).toEqual(["s/1", "s/2"]);
    expect(shortly(applied)).toEqual(["done 1", "done 1", "early 2", "done 2"]);
    expect(bench.state.position).toBe(2);
  });

  it("tells openings, and the expiry of what nobody opened", () => {
    const bench = new Bench();
    expect(shortly(bench.batch(opening("s"), opening("s"), asking("t", 1)))).toEqual([
      "opened",
      "opened",
      "expired",
    ]);
    expect(bench.state.position).toBe(0);
  });

  it("tells a repeat the position, slot and ballot of the first time", () => {
    const bench = new Bench();
    bench.batch(opening("s"), asking("s", 1));
    const [told] = bench.batch(asking("s", 1)).outcomes;
    expect(told?.outcome).toMatchObject({ kind: "done", number: 1, position: 1, slot: 0 });
  });

  it("says that the client has a result which is not kept any more", () => {
    const bench = new Bench();
    bench.batch(opening("s"), asking("s", 1), asking("s", 2, 2));
    const { entries, outcomes } = bench.batch(asking("s", 1));
    expect(entries).toEqual([]);
    expect(outcomes.map(({ outcome }) => outcome)).toMatchObject([{ kind: "answered", number: 1 }]);
  });

  it("tells an id the position it has, under another session", () => {
    const bench = new Bench();
    bench.batch(opening("s"), opening("t"), asking("s", 1, 1, "order"));
    const applied = bench.batch(asking("t", 1, 1, "order"), asking("t", 2));
    expect(shortly(applied)).toEqual(["done 1", "done 2"]);
    expect(texts(applied)).toEqual(["t/2"]);
  });

  it("names the voters of the slot in which an id took effect, not of its repeat", () => {
    const bench = new Bench();
    bench.batch(opening("s"), asking("s", 1, 1, "order"));
    bench.voters = ["a2", "a3"];
    const [repeat] = bench.batch(asking("s", 2, 1, "order")).outcomes;
    expect(repeat?.outcome).toMatchObject({ kind: "done", position: 1, syncedBy: ["a0", "a1"] });
  });

  it("does nothing for a no-op or an empty batch", () => {
    const bench = new Bench();
    for (const value of [NOOP, encodeBatch([])]) {
      expect(bench.apply(value)).toEqual({
        entries: [],
        commandsAt: [],
        outcomes: [],
        unreadable: 0,
      });
    }
  });
});

describe("what nobody can read", () => {
  const cut = asking("s", 1).slice(0, 30);

  it.each<[string, Uint8Array]>([
    ["no bytes at all", new Uint8Array()],
    ["a value of an unknown kind", Uint8Array.of(99)],
    ["an unknown kind", Uint8Array.of(5)],
    ["a batch that is cut off", encodeBatch([asking("s", 1)]).slice(0, -1)],
    ["a batch with more behind it", Uint8Array.of(...encodeBatch([asking("s", 1)]), 0)],
    ["a command that is cut off", encodeBatch([cut])],
    ["a command of an unknown kind", encodeBatch([Uint8Array.of(7, 7, 7)])],
    ["a command without bytes", encodeBatch([new Uint8Array()])],
    ["an opening with more behind it", encodeBatch([Uint8Array.of(...opening("s"), 0)])],
  ])("has no effect and counts: %s", (_name, value) => {
    const bench = new Bench();
    bench.batch(opening("s"));
    expect(bench.apply(value)).toEqual({
      entries: [],
      commandsAt: [],
      outcomes: [],
      unreadable: 1,
    });
    expect(shortly(bench.batch(asking("s", 1)))).toEqual(["done 1"]);
  });

  it("does not hide the commands beside it", () => {
    const bench = new Bench();
    const applied = bench.batch(
      opening("s"),
      cut,
      asking("s", 1),
      Uint8Array.of(9),
      asking("s", 2),
    );
    expect(applied.unreadable).toBe(2);
    expect(texts(applied)).toEqual(["s/1", "s/2"]);
  });

  it("never throws, whatever the bytes are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), (some, asCommand) => {
        const applied = new Bench().apply(asCommand ? encodeBatch([some]) : some);
        expect(applied.entries).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it("is the same for a request with one byte changed", () => {
    const whole = encodeBatch([opening("s"), asking("s", 1)]);
    for (let index = 0; index < whole.length; index++) {
      const value = whole.slice();
      value[index] = (value[index] as number) ^ 0xff;
      const [one, other] = [new Bench().apply(value), new Bench().apply(value)];
      expect(one).toEqual(other);
    }
  });
});

/** Commands of some sessions: opened, asked, asked again, out of turn, with ids, in batches. */
const command = fc.oneof(
  { weight: 1, arbitrary: fc.record({ open: fc.constantFrom("s", "t", "u", "v") }) },
  {
    weight: 8,
    arbitrary: fc.record({
      ask: fc.constantFrom("s", "t", "u", "v"),
      number: fc.integer({ min: 1, max: 7 }),
      known: fc.integer({ min: 1, max: 4 }),
      id: fc.constantFrom("", "", "", "A", "B", "C"),
    }),
  },
);
type SomeCommand =
  | { readonly open: string }
  | { readonly ask: string; readonly number: number; readonly known: number; readonly id: string };

const slots = fc.array(fc.array(command, { maxLength: 4 }), { maxLength: 40 });

function encoded(one: SomeCommand): Uint8Array {
  if ("open" in one) return opening(one.open);
  return asking(one.ask, one.number, Math.min(one.known, one.number), one.id);
}

/** Asks a table everything that could show a difference. */
function probe(state: LogState, limits: Limits): string[] {
  const bench = new Bench(limits, state.clone(limits));
  const told: string[] = [];
  for (const fresh of ["", "w", "x", "y"]) {
    if (fresh !== "") bench.batch(opening(fresh));
    for (const session of ["s", "t", "u", "v"]) {
      for (let number = 1; number <= 8; number++) {
        const later = new Bench(limits, bench.state.clone(limits));
        told.push(...shortly(later.batch(asking(session, number, 1, ""))), "|");
      }
    }
  }
  return told;
}

describe("any schedule of repeats, losses and reorderings", () => {
  it.each([
    ["wide", DEFAULT_LIMITS],
    ["narrow", { ...DEFAULT_LIMITS, sessionsMax: 2, sessionResultsMax: 2, idsMax: 2 }],
  ])("gives two learners the same table and the same positions; bounds are %s", (_name, limits) => {
    let effects = 0;
    fc.assert(
      fc.property(slots, fc.nat(), (log, cut) => {
        const first = new Bench(limits);
        let second = new Bench(limits);
        for (const [slot, commands] of log.entries()) {
          if (slot === cut % (log.length + 1)) {
            second = new Bench(limits, second.state.clone(limits)); // begins from a copy
          }
          const value = commands.length === 0 ? NOOP : encodeBatch(commands.map(encoded));
          expect(second.apply(value)).toEqual(first.apply(value));
        }
        expect(second.state.position).toBe(first.state.position);
        expect(probe(second.state, limits)).toEqual(probe(first.state, limits));
        effects += first.state.position;
      }),
      { numRuns: 60 },
    );
    expect(effects).toBeGreaterThan(0);
  });

  it("lets every request take effect at most once, in session order, at dense positions", () => {
    let repeats = 0;
    fc.assert(
      fc.property(slots, (log) => {
        const bench = new Bench();
        const last = new Map<string, number>(); // the model: what each session has done
        const ids = new Set<string>();
        const expected: string[] = [];
        const took: string[] = [];
        for (const commands of log) {
          for (const one of commands) {
            if ("open" in one) last.set(one.open, last.get(one.open) ?? 0);
            else if (last.get(one.ask) === one.number - 1) {
              last.set(one.ask, one.number);
              if (one.id !== "" && ids.has(one.id)) continue;
              ids.add(one.id);
              expected.push(`${one.ask}/${one.number}`);
            }
          }
          const applied = bench.batch(...commands.map(encoded));
          for (const entry of applied.entries) {
            took.push(new TextDecoder().decode(entry.body));
            expect(entry.position).toBe(took.length);
          }
          repeats += applied.outcomes.length - applied.entries.length;
        }
        expect(took).toEqual(expected);
        expect(new Set(took).size).toBe(took.length);
      }),
      { numRuns: 200 },
    );
    expect(repeats).toBeGreaterThan(0);
  });
});

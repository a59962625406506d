/**
 * Goal: the checker says what is so, of histories nobody thought of.
 * Method: executions of naive specifications, with times laid around them, are always accepted;
 * with one answer changed, the checker and a judge that tries every order agree.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkHistory } from "../../src/judge/check.js";
import { explainVerdict } from "../../src/judge/explain.js";
import type { HistoryModel } from "../../src/judge/format.js";
import { type Draw, drawnCalls, execute, mutate } from "./executions.js";
import {
  isExplained,
  type Naive,
  naiveDecide,
  naiveKv,
  naiveLock,
  naiveLog,
  naivePropose,
  type Way,
} from "./naive.js";
import { type Header, type Told, tell } from "./telling.js";

/** A model and the calls it is asked. */
interface Subject<M extends HistoryModel = HistoryModel> {
  readonly name: string;
  readonly model: M;
  readonly naive: Naive<M>;
  readonly draw: Draw<M>;
  readonly header?: Header;
  readonly isComplete?: boolean;
  /** The judge that tries everything can bear so many. */
  readonly naiveCalls: number;
}

const subject = <M extends HistoryModel>(given: Subject<M>) => given as unknown as Subject;

interface KvState {
  readonly keys: Readonly<Record<string, { readonly value: string; readonly rev: number }>>;
  readonly last: number;
}

/** Calls of one key, out of some operations. */
function drawKv(ops: readonly string[]): Draw<"kv"> {
  return ({ kind, pick }, place, { keys, last }: KvState) => {
    const key = "x";
    const value = `v${place};`;
    const held = keys[key];
    switch (ops[kind % ops.length]) {
      case "put":
        return { op: "put", key, value };
      case "put ifrev":
        return { op: "put", key, value, ifrev: pick % 2 ? (held?.rev ?? 0) : pick % (last + 2) };
      case "append":
        return { op: "append", key, value };
      case "cas":
        return {
          op: "cas",
          key,
          expect: pick % 3 ? (held?.value ?? null) : `v${place - 1};`,
          value,
        };
      case "delete":
        return { op: "delete", key };
      case "delete ifrev":
        return { op: "delete", key, ifrev: pick % 2 ? (held?.rev ?? 0) : pick % (last + 2) };
      default:
        return { op: "get", key };
    }
  };
}

/** A kv that gives some of its answers only. */
function answering(naive: Naive<"kv">, may: (out: Way["out"]) => boolean): Naive<"kv"> {
  const { initial, ways } = naive;
  return { initial, ways: (...asked) => ways(...asked).filter(({ out }) => may(out)) };
}

const isRevised = (out: Way["out"]) => typeof out === "object" && out !== null;

const subjects: readonly Subject[] = [
  subject({
    name: "register",
    model: "kv",
    naive: answering(naiveKv({ x: "v-1;" }), (out) => !isRevised(out)),
    header: { init: { x: "v-1;" } },
    draw: drawKv(["get", "put", "cas", "get"]),
    naiveCalls: 6,
  }),
  subject({
    name: "kv of one key",
    model: "kv",
    naive: naiveKv(),
    draw: drawKv(["get", "put", "put ifrev", "cas", "delete", "delete ifrev", "get"]),
    naiveCalls: 5,
  }),
  subject({
    name: "kv of one key with append",
    model: "kv",
    naive: naiveKv(),
    draw: drawKv(["get", "append", "append", "put", "cas", "put ifrev", "delete", "get"]),
    naiveCalls: 5,
  }),
  subject({
    name: "kv of several keys with revisions",
    model: "kv",
    // What one key says of revisions binds the others.
    naive: answering(naiveKv(), (out) => out === null || isRevised(out)),
    draw: ({ kind, key }, place) => {
      const name = `k${key}`;
      if (kind % 2 === 0) return { op: "get", key: name };
      return { op: "put", key: name, value: `v${place}` };
    },
    naiveCalls: 6,
  }),
  subject({
    name: "log",
    model: "log",
    naive: naiveLog(1),
    draw: ({ kind, key: drawn, pick }, place) => {
      const key = `l${drawn % 2}`;
      const ops = ["append", "append", "read", "len", "list"] as const;
      const op = ops[kind % ops.length]!;
      if (op === "append") return { op, key, value: `v${place}` };
      return op === "read" ? { op, key, index: pick % (place + 2) } : { op, key };
    },
    naiveCalls: 7,
  }),
  ...[false, true].map((lease) =>
    subject({
      name: lease ? "lock with a lease" : "lock",
      model: "lock",
      naive: naiveLock(lease),
      header: { lease },
      draw: (
        { kind, pick },
        _place,
        { holder, token }: { holder: string | null; token: number },
      ) => {
        const key = "l";
        const owner = kind % 4 === 0 ? (holder ?? "o1") : `o${pick % 3}`;
        if (kind % 2 === 1) return { op: "acquire", key, owner };
        if (pick % 2 === 1) return { op: "release", key, owner };
        return { op: "release", key, owner, token: pick % 4 ? Math.max(0, token) : pick % 7 };
      },
      naiveCalls: 5,
    }),
  ),
  subject({
    name: "decide",
    model: "decide",
    naive: naiveDecide({ k2: "first" }),
    header: { init: { k2: "first" } },
    draw: ({ kind, key: drawn }, place) => {
      const key = `k${drawn}`;
      return kind % 3 === 0 ? { op: "get", key } : { op: "decide", key, value: `v${place}` };
    },
    naiveCalls: 7,
  }),
  ...[false, true].map((isComplete) =>
    subject({
      name: isComplete ? "propose, everything recorded" : "propose",
      model: "propose",
      naive: naivePropose(isComplete),
      isComplete,
      draw: (_drawn, place) => ({ op: "propose", value: `v${place}` }),
      naiveCalls: 4,
    }),
  ),
];

/**
 * Judges, within so many states; a history that needs more is passed over. Why: the search is
 * exponential in the worst case, and a drawn history may come near it.
 */
function judge({ model, header, isComplete }: Subject, calls: readonly Told[]) {
  const text = tell(model, calls, header);
  const verdict = checkHistory(text, { isComplete, statesMax: 50_000 });
  fc.pre(verdict.kind !== "undecided");
  return { text, verdict, shown: `${explainVerdict(verdict)}\n${text}` };
}

/**
 * No number that the judge must try is higher: the highest told, one a call, one for the start.
 */
function numbersMax(text: string, calls: number): number {
  const told = text.matchAll(/"(?:rev|ifrev|token|position|slot)":(\d+)/g);
  return Math.max(0, ...[...told].map(([, digits]) => Number(digits))) + calls + 1;
}

describe.each(subjects)("$name", (one) => {
  const { naive, draw, naiveCalls } = one;

  it("accepts whatever happened", () => {
    fc.assert(
      fc.property(drawnCalls(60, 4), (all) => {
        const { calls } = execute(naive, draw, all);
        const { verdict, shown } = judge(one, calls);
        expect(verdict.kind, shown).toBe("linearizable");
      }),
      { numRuns: 60 },
    );
  });

  it("agrees with the judge that tries everything, of answers changed", () => {
    const seen = { accepted: 0, refused: 0 };
    fc.assert(
      fc.property(drawnCalls(naiveCalls, 3), fc.nat(), fc.nat(), (all, which, how) => {
        const execution = execute(naive, draw, all);
        const calls = how % 8 === 0 ? execution.calls : mutate(execution, which, how >> 3);
        if (calls === null) return;
        const { text, verdict, shown } = judge(one, calls);
        const expected = isExplained(naive, calls, numbersMax(text, calls.length));
        seen[expected ? "accepted" : "refused"]++;
        expect(verdict.kind, shown).toBe(expected ? "linearizable" : "violation");
      }),
      { numRuns: 240 },
    );
    // Both verdicts were at stake.
    expect(seen.accepted).toBeGreaterThan(10);
    expect(seen.refused).toBeGreaterThan(10);
  });
});

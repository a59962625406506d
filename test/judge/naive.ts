/**
 * The naive judge: every order of the calls, every number that nobody told, no memory. And the same
 * specifications as things that can be run, so that honest histories can be made.
 *
 * It is written from the table of the format, and shares nothing with the checker.
 */
import type { HistoryModel, HistoryOperations, HistoryOut } from "../../src/judge/format.js";
import type { Told } from "./telling.js";

/** A way a call may go from a state: what it answers, and the state then. */
export interface Way {
  readonly out: HistoryOut | undefined;
  readonly state: unknown;
}

/** A specification: all ways. */
export interface Naive<M extends HistoryModel = HistoryModel> {
  readonly initial: unknown;
  /** @param numbersMax the highest revision or token to try */
  ways(state: never, operation: HistoryOperations[M], numbersMax: number): readonly Way[];
}

type Kv = Readonly<Record<string, { readonly value: string; readonly rev: number }>> & {
  readonly last?: never;
};
interface KvAll {
  readonly keys: Kv;
  readonly last: number;
}

/** Which answers a kv gives: with revisions, or without. */
export function naiveKv(init: Readonly<Record<string, string>> = {}): Naive<"kv"> {
  const keys = Object.fromEntries(
    Object.entries(init).map(([key, value]) => [key, { value, rev: 1 }]),
  );
  return {
    initial: { keys, last: Object.keys(keys).length === 0 ? 0 : 1 },
    ways: ({ keys, last }: KvAll, operation, numbersMax) => {
      const { op, key } = operation;
      const held = keys[key];
      const after = (value: string | null, out: (rev: number) => readonly Way["out"][]) => {
        const ways: Way[] = [];
        for (let rev = last + 1; rev <= numbersMax; rev++) {
          const next: Record<string, unknown> = { ...keys, [key]: { value, rev } };
          if (value === null) delete next[key];
          for (const told of out(rev)) ways.push({ out: told, state: { keys: next, last: rev } });
        }
        return ways;
      };
      const stay = (...outs: Way["out"][]) => outs.map((out) => ({ out, state: { keys, last } }));
      switch (op) {
        case "get":
          if (held === undefined) return stay(null);
          return stay(held.value, { value: held.value, rev: held.rev });
        case "put":
          if (operation.ifrev === undefined)
            return after(operation.value, (rev) => [undefined, { rev }]);
          if (operation.ifrev !== (held?.rev ?? 0)) return stay({ ok: false });
          return after(operation.value, (rev) => [{ ok: true, rev }]);
        case "append": {
          const value = (held?.value ?? "") + operation.value;
          return after(value, () => [undefined, value]);
        }
        case "cas":
          if ((held?.value ?? null) !== operation.expect) return stay(false);
          return after(operation.value, () => [true]);
        case "delete":
          if (operation.ifrev === undefined) {
            return held === undefined ? stay(false) : after(null, () => [true]);
          }
          if (operation.ifrev !== (held?.rev ?? 0)) return stay({ ok: false });
          return held === undefined ? stay({ ok: true }) : after(null, () => [{ ok: true }]);
      }
    },
  };
}

/** Logs. */
export function naiveLog(base = 1): Naive<"log"> {
  return {
    initial: {},
    ways: (logs: Readonly<Record<string, readonly string[]>>, operation) => {
      const log = logs[operation.key] ?? [];
      switch (operation.op) {
        case "append": {
          const next = [...log, operation.value];
          return [{ out: base + log.length, state: { ...logs, [operation.key]: next } }];
        }
        case "read":
          return [{ out: log[operation.index - base] ?? null, state: logs }];
        case "len":
          return [{ out: log.length, state: logs }];
        case "list":
          return [{ out: log, state: logs }];
      }
    },
  };
}

interface Lock {
  readonly holder: string | null;
  readonly last: number;
  readonly token: number;
}

/** One lock; with a lease it may be lost before any call. */
export function naiveLock(lease: boolean): Naive<"lock"> {
  const waysFrom = (
    state: Lock,
    operation: HistoryOperations["lock"],
    numbersMax: number,
  ): readonly Way[] => {
    const { holder, last, token } = state;
    if (operation.op === "acquire") {
      if (holder !== null) return [{ out: { ok: false }, state }];
      const ways: Way[] = [];
      for (let next = last + 1; next <= numbersMax; next++) {
        const held = { holder: operation.owner, last: next, token: next };
        ways.push({ out: { ok: true, token: next }, state: held });
      }
      return ways;
    }
    const isMine = holder === operation.owner && (operation.token ?? token) === token;
    if (!isMine) return [{ out: false, state }];
    return [{ out: true, state: { ...state, holder: null } }];
  };
  return {
    initial: { holder: null, last: -1, token: -1 },
    ways: (state: Lock, operation, numbersMax) => {
      const ways = waysFrom(state, operation, numbersMax);
      if (!lease || state.holder === null) return ways;
      return [...ways, ...waysFrom({ ...state, holder: null }, operation, numbersMax)];
    },
  };
}

/** Keys that are decided once. */
export function naiveDecide(init: Readonly<Record<string, string>> = {}): Naive<"decide"> {
  return {
    initial: init,
    ways: (keys: Readonly<Record<string, string>>, operation) => {
      const held = keys[operation.key];
      if (operation.op === "get") return [{ out: held ?? null, state: keys }];
      if (held !== undefined) return [{ out: held, state: keys }];
      const { key, value } = operation;
      return [{ out: value, state: { ...keys, [key]: value } }];
    },
  };
}

/** Positions; with holes unless everything is recorded. Slots may be skipped or shared. */
export function naivePropose(isComplete: boolean): Naive<"propose"> {
  return {
    initial: { position: 0, slot: 0 },
    ways: (last: { position: number; slot: number }, _operation, numbersMax) => {
      const ways: Way[] = [];
      const positionMax = isComplete ? last.position + 1 : numbersMax;
      for (let position = last.position + 1; position <= positionMax; position++) {
        for (let slot = last.slot; slot <= numbersMax; slot++) {
          ways.push({ out: { position, slot }, state: { position, slot } });
        }
      }
      return ways;
    },
  };
}

/** Judges by trying everything. */
export function isExplained(naive: Naive, told: readonly Told[], numbersMax: number): boolean {
  const calls = told.filter(({ ending }) => ending !== "fail");
  const answered = (call: Told) => typeof call.ending === "object";
  const explain = (left: readonly Told[], state: unknown): boolean => {
    if (!left.some(answered)) return true;
    return left.some((call) => {
      const isLate = left.some((other) => answered(other) && other.to < call.from);
      if (isLate) return false;
      const rest = left.filter((other) => other !== call);
      return naive
        .ways(state as never, call.operation, numbersMax)
        .some((way) => fits(call, way) && explain(rest, way.state));
    });
  };
  return explain(calls, naive.initial);
}

function fits({ ending }: Told, { out }: Way): boolean {
  if (typeof ending !== "object") return true;
  return JSON.stringify(ending.out ?? null) === JSON.stringify(out ?? null);
}

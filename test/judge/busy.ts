/** Long histories of many clients on a kv that works. */
import { createSeededRandom } from "../../src/adapters/memory/random.js";
import { History, type OpenCall } from "../../src/client/history.js";
import type { HistoryOperations } from "../../src/judge/format.js";

/** What a long history is like. */
export interface Busy {
  readonly seed: number;
  readonly calls: number;
  readonly clients: number;
  readonly keys: number;
  /** The share of calls whose end nobody knows, 0 … 1; half of them took effect. */
  readonly pending: number;
  /** How many gets, towards the end, are told what was overwritten before they began. */
  readonly stale: number;
  /** Whether answers tell revisions. */
  readonly revs: boolean;
}

interface Entry {
  readonly value: string;
  readonly rev: number;
}

/** What a client does: it has asked, or its call has taken effect. */
interface Doing {
  readonly operation: HistoryOperations["kv"];
  readonly open: OpenCall;
  answer: (() => void) | null;
  /** What the key held before a write that was answered before this began. */
  readonly old: Entry | undefined;
}

/** Writes one: at each tick a client begins, takes effect, or is answered. */
export function busy({ seed, calls, clients, keys, pending, stale, revs }: Busy): string {
  const random = createSeededRandom(seed);
  const lines: string[] = [];
  let now = 0n;
  const write = (line: string) => void lines.push(line);
  const history = new History({ model: "kv", nowNs: () => ++now, write });
  const held = new Map<string, Entry>();
  const overwritten = new Map<string, Entry>();
  const doing = new Map<number, Doing>();
  let [begun, rev, lies] = [0, 0, 0];

  const effect = ({ operation, open, old }: Doing): (() => void) => {
    const { op, key } = operation;
    const entry = held.get(key);
    if (op === "get") {
      const lie = lies < stale && begun > calls * 0.9 && old !== undefined;
      if (lie) lies++;
      const told = lie ? old : entry;
      return () => open.ok(told === undefined ? null : revs ? { ...told } : told.value);
    }
    if (op === "cas" && (entry?.value ?? null) !== operation.expect) return () => open.ok(false);
    const mine = { value: (operation as { readonly value: string }).value, rev: ++rev };
    held.set(key, mine);
    return () => {
      if (entry !== undefined) overwritten.set(key, entry);
      open.ok(op === "cas" ? true : revs ? { rev: mine.rev } : undefined);
    };
  };
  const ask = (): HistoryOperations["kv"] => {
    const key = `k${random.integer(keys)}`;
    const value = `v${begun}`;
    const dice = random.integer(10);
    if (dice < 5) return { op: "get", key };
    if (dice < 8) return { op: "put", key, value };
    return { op: "cas", key, expect: held.get(key)?.value ?? null, value };
  };

  while (begun < calls || doing.size > 0) {
    const client = random.integer(clients);
    const one = doing.get(client);
    if (one === undefined) {
      if (begun >= calls) continue;
      begun++;
      const operation = ask();
      const old = overwritten.get(operation.key);
      const open = history.begin(`w${client}`, operation);
      doing.set(client, { operation, open, answer: null, old });
    } else if (random.next() < pending) {
      if (one.answer === null && random.integer(2) === 0) effect(one);
      one.open.info("outcome_unknown");
      doing.delete(client);
    } else if (one.answer === null) one.answer = effect(one);
    else {
      one.answer();
      doing.delete(client);
    }
  }
  return lines.join("");
}

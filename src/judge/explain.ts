/** Verdicts as lines a person can read. */
import type { HistoryCall } from "./call.js";
import type { Verdict } from "./check.js";
import type { Violation } from "./violation.js";

/** Violations and calls that are shown; the rest is counted. */
const VIOLATIONS_MAX = 5;
const CALLS_MAX = 30;

/** Explains a verdict in lines, without a last line break. */
export function explainVerdict(verdict: Verdict): string {
  if (verdict.kind === "malformed") return `malformed: line ${verdict.line}: ${verdict.message}`;
  const { model, keys, answered, pending, failed, states, notes } = verdict;
  const what = model === "propose" ? model : `${model}, ${count(keys, "key")}`;
  const looked =
    `${what}: ${count(answered, "call")} answered, ${pending} unknown, ${failed} failed; ` +
    `${count(states, "state")} visited`;
  const tail = notes.map((note) => `note: ${note}`);
  if (verdict.kind === "linearizable") return [`linearizable: ${looked}`, ...tail].join("\n");
  if (verdict.kind === "undecided") {
    const names = some(verdict.undecided.map((key) => JSON.stringify(key)));
    const reason = `the search ran out of states on ${names}; every other key is linearizable`;
    return [`undecided: ${looked}`, reason, ...tail].join("\n");
  }
  const { violations } = verdict;
  const shown = violations.slice(0, VIOLATIONS_MAX).flatMap(explainViolation);
  const more = violations.length - VIOLATIONS_MAX;
  if (more > 0) shown.push(`and ${count(more, "key")} more`);
  return [`violation: ${looked}`, ...shown, ...tail].join("\n");
}

function explainViolation(violation: Violation): string[] {
  const { key, why, line, isShortest, isCore, calls, others } = violation;
  const where = key === null ? "" : `key ${JSON.stringify(key)}: `;
  const upTo = isShortest
    ? `up to line ${line}, and up to no line before it`
    : `up to line ${line}`;
  const whatever = others ? `, whatever ${count(others, "other call")} did:` : ":";
  const among = isCore
    ? `these calls contradict each other${whatever}`
    : "it is too long a history to say which calls contradict each other; answered then or later:";
  const rows = calls.slice(0, CALLS_MAX).map((call) => `  ${explainCall(call)}`);
  if (calls.length > CALLS_MAX) rows.push(`  and ${calls.length - CALLS_MAX} more`);
  return [`${where}${why} (${upTo})`, among, ...rows];
}

/** `lines 2-5  c1  put x "v1"  → {"rev":1}  at 10…20 ns`. */
function explainCall(call: HistoryCall): string {
  const { client, operation, out, isPending, fromLine, toLine, fromNs, toNs } = call;
  const { op, ...fields } = operation as unknown as Readonly<Record<string, unknown>>;
  const told = FIELDS.flatMap((name) => (name in fields ? [`${name}=${show(fields[name])}`] : []));
  const answer = isPending ? "unknown" : out === undefined ? "done" : show(out);
  const lines = toLine === null ? `line ${fromLine}` : `lines ${fromLine}-${toLine}`;
  const when = toNs === null ? `${fromNs}… ns` : `${fromNs}…${toNs} ns`;
  return `${lines}  ${client}  ${String(op)} ${told.join(" ")}  → ${answer}  at ${when}`;
}

const FIELDS = ["key", "index", "owner", "expect", "value", "ifrev", "token"];
const TEXT_MAX = 200;

function show(field: unknown): string {
  const text = JSON.stringify(field) ?? "nothing";
  return text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX)}…`;
}

function some(names: readonly string[]): string {
  const shown = names.slice(0, CALLS_MAX).join(", ");
  return names.length <= CALLS_MAX ? shown : `${shown} and ${names.length - CALLS_MAX} more`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

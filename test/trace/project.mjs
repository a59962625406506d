/**
 * Projects a trace (ptrace/1) to one instance of Paxos, for PaxosTrace.tla: one slot of the log, or
 * one key.
 *
 *   node project.mjs FOLDER SLOT > trace.ndjson          a slot of the log
 *   node project.mjs FOLDER KEY-HASH > trace.ndjson      a key: the hash in its files' names
 *   node project.mjs FOLDER                              what there is to ask for, one a line
 *
 * Reads nothing but the trace. Ballots become their rank among all of the trace, since TLA+ does
 * not order strings. Lines marked `dup`, notes and wishes are left out: they are no steps.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const [folder = ".", instance] = process.argv.slice(2);

/** Returns the header and the events of the files of a key; of the log for "". */
function readTrace(key) {
  const files = readdirSync(folder).filter((name) => {
    const parts = name.split(".");
    return parts.at(-1) === "jsonl" && (parts.length === 3 ? parts[1] : "") === key;
  });
  const lines = files.flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n"));
  const all = lines.filter((line) => line !== "").map((line) => JSON.parse(line));
  const events = all.filter(({ ev }) => ev !== undefined);
  events.sort((a, b) => a.lc - b.lc || compare(a.n, b.n) || a.inc - b.inc || a.seq - b.seq);
  return { header: all.find(({ trace }) => trace !== undefined), events };
}

function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Every ballot of the events, in order. */
function ballotsOf(events) {
  const found = new Map();
  const note = (bal) => {
    if (bal != null) found.set(JSON.stringify(bal), bal);
  };
  for (const { bal, mbal, promised, votes = [] } of events) {
    for (const one of [bal, mbal, promised, ...votes.map((vote) => vote.bal)]) note(one);
  }
  const ordered = [...found].sort(([, a], [, b]) => a[0] - b[0] || compare(a[1], b[1]));
  return new Map(ordered.map(([name], rank) => [name, rank]));
}

/** The smallest quorums. Paxos.tla knows one kind: both phases must take the same. */
function quorumsOf({ quorums, acceptors }) {
  if (Array.isArray(quorums)) return quorums;
  const size = quorums === "majority" ? Math.floor(acceptors.length / 2) + 1 : quorums;
  if (typeof size !== "number") throw new Error("Paxos.tla has one quorum system for both phases");
  let subsets = [[]];
  for (const one of acceptors) subsets = subsets.concat(subsets.map((set) => [...set, one]));
  return subsets.filter((set) => set.length === size);
}

/** Turns an event into what it is for a slot; undefined if it is nothing there. */
function project(event, slot, rankOf) {
  const { ev, n, dup, bal, promised, syncedBy = [], votes } = event;
  if (dup === true || !["p1a", "p1b", "p2a", "p2b", "recover", "chosen", "learn"].includes(ev)) {
    return undefined;
  }
  if (event.slot !== undefined && event.slot !== slot) return undefined;
  const vote = votes?.find((one) => one.slot === slot);
  const { mbal, mval } = votes === undefined ? event : { mbal: vote?.bal, mval: vote?.val };
  return {
    ...{ ev, a: n, bal: rankOf(ev === "recover" ? promised : bal), val: event.val ?? "" },
    ...{ mbal: rankOf(mbal), mval: mval ?? "", told: (event.from ?? 0) <= slot, syncedBy },
  };
}

function main() {
  if (instance === undefined) {
    const keys = readdirSync(folder).map((name) => name.split(".").slice(1, -1).join("."));
    const slots = readTrace("").events.flatMap(({ ev, slot }) => (ev === "p2a" ? [slot] : []));
    const found = [...new Set([...slots.sort((a, b) => a - b), ...keys])];
    for (const one of found) if (one !== "") console.log(one);
    return;
  }
  const isKey = /^[0-9a-f]{32}$/.test(instance);
  const { header, events } = readTrace(isKey ? instance : "");
  if (header === undefined) throw new Error(`there is no trace of ${instance} in ${folder}`);
  const ranks = ballotsOf(events);
  const rankOf = (bal) => (bal == null ? -1 : ranks.get(JSON.stringify(bal)));
  const slot = isKey ? 0 : Number(instance);
  const steps = events.flatMap((event) => project(event, slot, rankOf) ?? []);
  const values = new Set(steps.flatMap(({ val, mval }) => [val, mval]));
  values.delete("");
  if (values.size === 0) values.add(header.noop);
  const { acceptors } = header;
  const head = { acceptors, values: [...values], ballots: ranks.size };
  for (const line of [{ ...head, quorums: quorumsOf(header) }, ...steps]) {
    console.log(JSON.stringify(line));
  }
}

main();

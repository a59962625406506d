/** Stories: the way to a state, step by step, for a person to read. */
import type { Effect } from "../../kernel/effect.js";
import type { StoreRecord } from "../../paxos/wire/record.js";
import type { Actor, Moved } from "./actor.js";
import type { Exploration } from "./exploration.js";
import type { Model } from "./model.js";
import type { Stride, Taken } from "./strides.js";
import { messageText, readable, recordText } from "./words.js";

/** Steps of one actor. */
interface Steps {
  readonly mover: number;
  readonly steps: readonly Taken[];
}

/**
 * Tells the shortest way to a state, one line a step. Acceptors keep their names throughout.
 *
 * @param last steps to tell after that; null: none
 * @returns the lines, and the name of each acceptor of the state by its place
 */
export function tell(
  exploration: Exploration,
  state: number,
  last: Steps | null,
): { readonly lines: readonly string[]; readonly names: readonly string[] } {
  const { model } = exploration;
  const here = new Int32Array(model.acceptors + 1);
  const there = new Int32Array(model.acceptors + 1);
  let names = Array.from({ length: model.acceptors }, (_, place) => `a${place + 1}`);
  const path = exploration.pathTo(state);
  const lines: string[] = [];
  for (const [index, next] of path.slice(1).entries()) {
    exploration.read(path[index] as number, here);
    exploration.read(next, there);
    const { taken, order } = strideBetween(exploration, here, there);
    lines.push(...linesOf(model, here, taken, names));
    const before = names;
    names = order.map((old) => before[old] as string);
  }
  if (last !== null) {
    exploration.read(state, here);
    lines.push(...linesOf(model, here, last, names));
  }
  return { lines: lines.map((line) => readable(model.world, line)), names };
}

/** Finds a stride that leads from a state to a state in its canonical form. */
function strideBetween(
  { model, strides }: Exploration,
  here: Int32Array,
  there: Int32Array,
): { readonly taken: Steps; readonly order: readonly number[] } {
  const made = new Int32Array(here.length);
  const canonical = new Int32Array(here.length);
  let found: { taken: Steps; order: readonly number[] } | null = null;
  const visit = ({ mover, rest, acceptor }: Stride) => {
    if (found !== null) return;
    made.set(here);
    made[0] = rest;
    if (mover < model.acceptors) made[mover + 1] = acceptor;
    model.canonical(made, canonical);
    if (canonical.some((part, place) => part !== there[place])) return;
    found = { taken: { mover, steps: strides.steps() }, order: [...model.order] };
  };
  strides.from(here, { visit, see: () => {} });
  if (found === null) throw new Error("no stride leads from a state to the next");
  return found;
}

function linesOf(model: Model, state: Int32Array, taken: Steps, names: readonly string[]) {
  const { mover, steps } = taken;
  const locals = model.localsOf(mover);
  const isAtOnce = model.syncsAtOnce(state[0] as number, locals);
  let local = model.localOf(state, mover);
  return steps.map((step) => {
    const line = lineOf(model, local, mover, step, names, isAtOnce);
    const { letter, from, choice } = step;
    const own = locals.own(local).find((one) => one.choice === choice);
    const move = own?.move ?? locals.hear(local, letter, from);
    local = isAtOnce ? locals.settled(move).next : move.next;
    return line;
  });
}

function lineOf(
  model: Model,
  local: number,
  mover: number,
  { letter, from, choice }: Taken,
  names: readonly string[],
  isAtOnce: boolean,
): string {
  const locals = model.localsOf(mover);
  const before = locals.actor(local);
  const who = mover < model.acceptors ? (names[mover] as string) : locals.identity.id;
  if (choice !== null) {
    const what = choice.kind === "offer" ? labelOf(model, mover, before, choice.what) : "";
    const done = outcome(before, locals.does(local, choice), isAtOnce);
    return `${who} ${choiceText(before, choice, what)}${done}`;
  }
  const { from: sender, message } = model.common.letters.get(letter);
  const source = sender?.id ?? names[from] ?? "somebody";
  const moved = locals.moved(local, letter, from);
  return `${who} hears ${messageText(message)} of ${source}${outcome(before, moved, isAtOnce)}`;
}

function labelOf(model: Model, mover: number, before: Actor, what: string): string {
  const single = model.world.singles[mover - model.acceptors];
  if (single === undefined) return what;
  return model.world.offers(single, before.snapshot)[Number(what)]?.label ?? what;
}

function choiceText(before: Actor, { kind, what }: { kind: string; what: string }, label: string) {
  if (kind === "offer") return label;
  if (kind === "sync") return `syncs ${recordsText(before.writes[0]?.records ?? [])}`;
  if (kind === "fire") return `waits no longer (${what.replace(/^xstate\.after\./, "")})`;
  const lost = before.writes.flatMap(({ records }) => records);
  const losing = lost.length === 0 ? "" : `, losing the unsynced ${recordsText(lost)}`;
  if (kind === "full") return `finds its disk full${losing}, and reads its memory again`;
  return `crashes${losing}, and starts anew`;
}

/** What came of a step: state, writes, messages. */
function outcome(before: Actor, moved: Moved, isAtOnce: boolean): string {
  const { actor, records, sent, stopped } = moved;
  const parts: string[] = [];
  const state = stateText(actor);
  if (state !== stateText(before)) parts.push(`is now ${state}`);
  if (records.length > 0) {
    parts.push(`${isAtOnce ? "writes and syncs" : "writes"} ${recordsText(records)}`);
  }
  const held = actor.writes.flatMap((write) => write.held);
  const said = messagesText(isAtOnce ? [...sent, ...held] : sent);
  if (said !== "") parts.push(`says ${said}`);
  if (stopped !== null) parts.push(`stops: ${stopped}`);
  if (parts.length > 0) return `; ${parts.join("; ")}`;
  return moved.heard ? "" : "; ignores it";
}

function messagesText(effects: readonly Effect[]): string {
  return effects
    .flatMap((effect) => {
      // Who starts says hello to witnesses, of whom there are none here.
      if (effect.kind === "broadcast" && effect.message.type === "hello") return [];
      if (effect.kind === "send") return [`${messageText(effect.message)} to ${effect.to.id}`];
      if (effect.kind === "broadcast") return [`${messageText(effect.message)} to ${effect.role}s`];
      return [];
    })
    .join(", ");
}

function recordsText(records: readonly StoreRecord[]): string {
  return records.map(recordText).join(", ");
}

function stateText({ snapshot }: Actor): string {
  const { value } = snapshot as { value: unknown };
  return typeof value === "string" ? value : JSON.stringify(value).replace(/[{}"]/g, "");
}

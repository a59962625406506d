/** Reads hist/1, and refuses what is not: a judge that guesses judges something else. */

import { type HistoryCall, type ReadHistory, writtenBy } from "./call.js";
import {
  HISTORY_MODELS,
  type HistoryHeader,
  type HistoryModel,
  type HistoryOperations,
  type HistoryOut,
} from "./format.js";
import { oddField, SHAPES } from "./shapes.js";

/** A file that is no history of hist/1. */
export class MalformedHistory extends Error {
  override readonly name = "MalformedHistory";
  /** 1 for the header. */
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

type Fields = Readonly<Record<string, unknown>>;

/** A line of the file that is not the header. */
interface Event {
  readonly line: number;
  readonly t: number;
  readonly id: number;
  readonly fields: Fields;
}

/** A call whose end was not read yet. */
interface Open {
  readonly event: Event;
  readonly from: number;
  readonly client: string;
}

const KINDS: readonly unknown[] = ["call", "ok", "fail", "info"];

/**
 * Reads a history.
 *
 * Events are ordered by time, and where that is equal as they stand in the file: whoever writes an
 * end before a call of the same nanosecond had the answer when the other began.
 *
 * @param text the file, or its lines
 * @throws MalformedHistory
 */
export function readHistory(text: string | readonly string[]): ReadHistory {
  const lines = typeof text === "string" ? text.split("\n") : [...text, ""];
  const rest = lines.pop();
  // Whatever is behind the last line break is whole, or was cut off, but never malformed.
  const isTorn = rest !== undefined && rest !== "" && parse(rest) === undefined;
  if (rest !== undefined && rest !== "" && !isTorn) lines.push(rest);
  const header = readHeader(lines[0]);
  const events = lines.slice(1).map((line, i) => readEvent(line, i + 2));
  events.sort((one, other) => one.t - other.t || one.line - other.line);
  const book = new Book(header.model);
  events.forEach((event, place) => void book.take(event, place));
  return { header, ...book.close(), isTorn };
}

function parse(line: string): Fields | undefined {
  try {
    const parsed: unknown = JSON.parse(line);
    const isObject = typeof parsed === "object" && parsed !== null && !Array.isArray(parsed);
    return isObject ? (parsed as Fields) : undefined;
  } catch {
    return undefined;
  }
}

function readHeader(line: string | undefined): HistoryHeader {
  const fields = line === undefined ? undefined : parse(line);
  const refuse = (message: string) => new MalformedHistory(1, message);
  if (fields?.["hist"] !== "hist/1") throw refuse('the first line must be {"hist":"hist/1",…}');
  const { model, init = {}, base = 1, lease = false } = fields;
  if (!HISTORY_MODELS.includes(model as HistoryModel)) {
    throw refuse(`model must be one of ${HISTORY_MODELS.join(", ")}`);
  }
  if (typeof init !== "object" || init === null || Array.isArray(init)) {
    throw refuse("init must be an object of start values");
  }
  const values = Object.values(init);
  if (!values.every((value) => typeof value === "string")) {
    throw refuse("init: every start value must be a string");
  }
  if (values.length > 0 && model !== "kv" && model !== "decide") {
    throw refuse(`init: model ${String(model)} starts empty`);
  }
  if (!Number.isSafeInteger(base)) throw refuse("base must be a whole number");
  if (typeof lease !== "boolean") throw refuse("lease must be true or false");
  return { hist: "hist/1", model, init, base, lease } as HistoryHeader;
}

function readEvent(text: string, line: number): Event {
  const fields = parse(text);
  const refuse = (message: string) => new MalformedHistory(line, message);
  if (fields === undefined) throw refuse("no JSON object");
  const { e, id, t, err } = fields;
  if (!KINDS.includes(e)) throw refuse("e must be call, ok, fail or info");
  if (!Number.isSafeInteger(id)) throw refuse("id must be a whole number");
  if (!Number.isInteger(t) || (t as number) < 0) throw refuse("t must be whole nanoseconds");
  if ((e === "fail" || e === "info") && typeof err !== "string") {
    throw refuse("err must be a string");
  }
  return { line, t: t as number, id: id as number, fields };
}

/** Puts calls and their ends together. */
class Book {
  readonly #model: HistoryModel;
  readonly #calls: HistoryCall[] = [];
  readonly #ids = new Set<number>();
  readonly #open = new Map<number, Open>();
  /** By client: the call it waits for, or "gone" after one whose end is unknown. */
  readonly #clients = new Map<string, number | "gone">();
  #failed = 0;

  constructor(model: HistoryModel) {
    this.#model = model;
  }

  take(event: Event, place: number): void {
    if (event.fields["e"] === "call") this.#begin(event, place);
    else this.#end(event, place);
  }

  close(): Pick<ReadHistory, "calls" | "failed"> {
    for (const open of this.#open.values()) this.#keep(open, null, Number.POSITIVE_INFINITY);
    this.#calls.sort((one, other) => one.from - other.from);
    this.#refuseRepeats();
    return { calls: this.#calls, failed: this.#failed };
  }

  #begin(event: Event, place: number): void {
    const { line, id, fields } = event;
    const { client, op } = fields;
    const refuse = (message: string) => new MalformedHistory(line, message);
    if (typeof client !== "string") throw refuse("client must be a string");
    if (this.#ids.has(id)) throw refuse(`id ${id} was used before`);
    const waits = this.#clients.get(client);
    if (waits === "gone") throw refuse(`client ${client} goes on after info: it needs a new name`);
    if (waits !== undefined) throw refuse(`client ${client} still waits for call ${waits}`);
    const shape = SHAPES[this.#model][String(op)];
    if (shape === undefined) throw refuse(`model ${this.#model} has no op ${JSON.stringify(op)}`);
    const odd = oddField(shape, fields);
    if (odd !== undefined) throw refuse(`${String(op)}: ${odd}`);
    this.#ids.add(id);
    this.#clients.set(client, id);
    this.#open.set(id, { event, from: place, client });
  }

  #end(event: Event, place: number): void {
    const { line, id, fields } = event;
    const refuse = (message: string) => new MalformedHistory(line, message);
    const open = this.#open.get(id);
    if (open === undefined) {
      const began = this.#ids.has(id) ? "has ended already" : "has not begun by then";
      throw refuse(`call ${id} ${began}`);
    }
    this.#open.delete(id);
    if (fields["e"] === "info") this.#clients.set(open.client, "gone");
    else this.#clients.delete(open.client);
    if (fields["e"] === "fail") this.#failed++;
    else if (fields["e"] === "info") this.#keep(open, event, Number.POSITIVE_INFINITY);
    else {
      const op = String(open.event.fields["op"]);
      const { fits, answers } = SHAPES[this.#model][op] ?? {};
      if (fits?.(fields["out"], open.event.fields) !== true) {
        const out = JSON.stringify(fields["out"]);
        throw refuse(`out of ${op} must be ${answers}; it is ${out ?? "missing"}`);
      }
      this.#keep(open, event, place);
    }
  }

  #keep({ event, from, client }: Open, end: Event | null, to: number): void {
    const { line, id, t, fields } = event;
    const isPending = to === Number.POSITIVE_INFINITY;
    this.#calls.push({
      id,
      client,
      operation: fields as unknown as HistoryOperations[HistoryModel],
      out: isPending ? undefined : (end?.fields["out"] as HistoryOut | undefined),
      isPending,
      from,
      to,
      fromLine: line,
      fromNs: t,
      toLine: end?.line ?? null,
      toNs: end?.t ?? null,
    });
  }

  #refuseRepeats(): void {
    const lines = new Map<string, number>();
    for (const call of this.#calls) {
      const value = writtenBy(call);
      if (value === undefined) continue;
      const before = lines.get(value);
      if (before !== undefined) {
        const message = `value ${JSON.stringify(value)} was written on line ${before} already`;
        throw new MalformedHistory(call.fromLine, message);
      }
      lines.set(value, call.fromLine);
    }
  }
}

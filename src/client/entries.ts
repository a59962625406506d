/** Chosen values as they come over the public feed and from `history`, read with suspicion. */
import type { Headers } from "../kernel/ports.js";
import type { Ballot } from "../paxos/ballot.js";
import { BODY_TYPES, type BodyType } from "../paxos/command.js";
import type { Receipt } from "../paxos/receipt.js";

/** A chosen value, undecoded. */
export interface RawEntry extends Receipt {
  readonly type: BodyType;
  /** May be a view of a larger buffer: copy it to keep it. */
  readonly body: Uint8Array;
}

/** An answer of `history`. */
export interface HistoryPart {
  readonly entries: readonly RawEntry[];
  /** The highest position the learner has applied; if `entries` is empty, the log's end. */
  readonly tail: number;
}

/** Reads `<round>.<proposer>.<nonce>`; undefined if it is none. */
export function parseBallot(text: string | undefined): Ballot | undefined {
  const match = /^(\d{1,16})\.([a-z0-9_-]{1,32}\.[0-9a-f]{16})$/.exec(text ?? "");
  const round = Number(match?.[1] ?? 0);
  if (match?.[2] === undefined || !Number.isSafeInteger(round) || round < 1) return undefined;
  return { round, owner: match[2] };
}

/** Reads a message of the feed; undefined if it is none. */
export function readFeedMessage(
  headers: Headers | undefined,
  body: Uint8Array,
): RawEntry | undefined {
  if (headers === undefined) return undefined;
  const syncedBy = headers["Synod-Synced-By"] ?? "";
  return entryOf({
    position: Number(headers["Synod-Position"]),
    slot: Number(headers["Synod-Slot"]),
    ballot: headers["Synod-Ballot"],
    type: headers["Synod-Type"],
    syncedBy: syncedBy === "" ? [] : syncedBy.split(","),
    body,
  });
}

/** Reads an answer of `history`; undefined if it is none. */
export function readHistory(payload: Uint8Array): HistoryPart | undefined {
  const { entries, tail } = readJson(payload) as { entries?: unknown; tail?: unknown };
  if (!Array.isArray(entries) || !Number.isSafeInteger(tail)) return undefined;
  const read: RawEntry[] = [];
  for (const one of entries as unknown[]) {
    if (typeof one !== "object" || one === null) return undefined;
    const { body, ...rest } = one as Record<string, unknown>;
    if (typeof body !== "string") return undefined;
    const entry = entryOf({ ...rest, body: new Uint8Array(Buffer.from(body, "base64")) });
    if (entry === undefined) return undefined;
    read.push(entry);
  }
  return { entries: read, tail: tail as number };
}

/** Reads JSON; an empty object if it is no object. */
export function readJson(payload: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(payload));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** Reads the type of a value; undefined if this version knows none of that name. */
export function readType(type: unknown): BodyType | undefined {
  return BODY_TYPES.find((known) => known === type);
}

/** What may be an entry: the bytes are there, the rest is unchecked. */
type Claimed = { readonly [F in keyof RawEntry]?: unknown } & Pick<RawEntry, "body">;

function entryOf(fields: Claimed): RawEntry | undefined {
  const { position, slot, syncedBy, body } = fields;
  const type = readType(fields.type);
  const ballot = typeof fields.ballot === "string" ? parseBallot(fields.ballot) : undefined;
  if (!isWhole(position, 1) || !isWhole(slot, 0)) return undefined;
  if (ballot === undefined || type === undefined) return undefined;
  if (!Array.isArray(syncedBy) || !syncedBy.every((id) => typeof id === "string")) return undefined;
  return { position, slot, ballot, type, syncedBy, body };
}

function isWhole(value: unknown, least: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least;
}

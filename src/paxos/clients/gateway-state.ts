/** What a gateway holds: sessions, commands whose outcome is awaited, and results. */
import { Fifo } from "../fifo.js";
import { LatencyEstimate } from "../latency.js";
import { KnownResults } from "./gateway-results.js";

/** A command whose outcome is awaited. */
export interface Pending {
  readonly session: string;
  /** 0: the command that opens the session. */
  readonly number: number;
  blob: Uint8Array;
  /** Who asked through a door; several if a client asked again under its idempotency id. */
  readonly tokens: string[];
  /** The idempotency id of a door's request; "" for none, and for a session's request. */
  readonly id: string;
  /** When it went to this leader last, and first; null: it stands in `toSend`, or never went. */
  sentMs: number | null;
  /** A copy was sent to a leader at some time. */
  wasSent: boolean;
  firstSentMs: number | null;
  /** A copy of it came too early to take effect since it was sent last. */
  wasEarly: boolean;
  /** When it could first have been sent, for `why`. */
  dueMs: number | null;
}

/** A session served here, with what it awaits. */
export interface ClientSession {
  /** The client it is served for; null for the gateway's own. */
  readonly client: string | null;
  /** Of the gateway's own: the slot in which it was opened, as the log told. */
  openedIn: number | null;
  /** In order of number. */
  readonly pending: Map<number, Pending>;
  /** The highest number ever held here. */
  highest: number;
  /** The last `early` that was answered by sending again. */
  resent: { readonly expected: number; readonly atMs: number } | null;
  /** The last command that came too early, and when the copy was sent that did. */
  passed: { readonly number: number; readonly sentMs: number } | null;
  /** When an outcome came last. */
  heardMs: number;
  /** How many times the usual wait before all is sent again; grows while nothing comes. */
  patience: number;
  /** Its client waits for no result of a lower number, as it said last. */
  answeredBelow: number;
  /** Numbers that were given up, and of which what is held behind them does not say so yet. */
  readonly gaps: Set<number>;
}

/** What a gateway holds. One owner; changed only by the functions below. */
export class GatewayState {
  sessions = new Map<string, ClientSession>();
  /** The session of those who come without one. */
  ownSession = "";
  ownNumber = 0;
  /** Sessions of its own that it began: no two may have one id. */
  ownSessions = 0;
  heldBytes = 0;
  /** Bytes on the way to the leader, without an outcome so far. */
  underWayBytes = 0;
  creditBytes = 0;
  /** From the first copy of a command that goes to the leader to its outcome. */
  outcomeLatency = new LatencyEstimate();
  /** Results that clients may not have. */
  results = new KnownResults();
  /** Requests through doors whose outcome is awaited, by idempotency id. */
  byId = new Map<string, Pending>();
  /** In the order in which they are to be sent. */
  toSend = new Fifo<Pending>();
}

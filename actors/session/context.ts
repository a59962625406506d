/** What a client session knows and holds, and what it shows. */
import type { Settlement } from "../../src/kernel/effect.js";
import type { RoleInput, RoleStatus, Wait } from "../../src/kernel/role.js";
import { type Plain, showBytes, showSome, showText } from "../../src/kernel/show.js";
import { ClientState } from "../../src/paxos/clients/client.js";
import type { Limits } from "../../src/paxos/limits.js";
import type { ClientRequests } from "../../src/paxos/wire/messages.js";

/** The session's context. `data` is bulk and has one owner; the rest is replaced, never changed. */
export interface SessionContext {
  /** The session's name in the log, and the role's id: 32 hexadecimal digits. */
  readonly session: string;
  readonly limits: Limits;
  readonly data: ClientState;
  /** The gateway that serves it; null until one has. */
  readonly gateway: string | null;
  /** The gateway in the leader's process, as the one that serves it said last. */
  readonly leaderGateway: string | null;
  /** The gateway that fell silent or stopped last: the session keeps away from it until then. */
  readonly left: { readonly gateway: string; readonly untilMs: number } | null;
  /** What the last rule wants sent, and told. */
  readonly outgoing: readonly ClientRequests[];
  readonly settlements: readonly Settlement[];
  /** What the last rule could not send: it is over the server's limit of that moment. */
  readonly tooLarge: readonly Settlement[];
  /** Seeds the jitter of delays. */
  readonly seed: number;
  /** Times in a row that nothing was got out of the cluster. */
  readonly attempts: number;
  /** How long the present silence may last. */
  readonly delayMs: number;
  /** How long an overloaded gateway wants to be left alone. */
  readonly retryAfterMs: number;
  /** When a request was completed last, or the wait for it began. */
  readonly progressMs: number;
  /** When the gateway was heard last, or the wait for it began. */
  readonly heardMs: number;
  readonly refusals: number;
  readonly sinceMs: number;
}

/** Builds the context of a session that is not open yet. */
export function sessionContext(input: RoleInput): SessionContext {
  return {
    session: input.id,
    limits: input.cluster.limits,
    data: new ClientState(input.id),
    gateway: null,
    leaderGateway: null,
    left: null,
    outgoing: [],
    settlements: [],
    tooLarge: [],
    seed: input.seed,
    attempts: 0,
    delayMs: input.cluster.limits.retryDelayMs,
    retryAfterMs: 0,
    progressMs: input.nowMs,
    heardMs: input.nowMs,
    refusals: 0,
    sinceMs: input.nowMs,
  };
}

/** What `status` shows of a session. */
export function sessionStatus(context: SessionContext): RoleStatus {
  return { nacks: context.refusals };
}

/** What a viewer shows of a session: who serves it, and the requests without a result. */
export function showSession({ data, left, ...context }: SessionContext): Plain {
  return {
    session: showText(context.session),
    gateway: showText(context.gateway),
    leaderGateway: showText(context.leaderGateway),
    left: left && { gateway: showText(left.gateway), untilMs: left.untilMs },
    openedIn: data.openedIn,
    open: showSome(data.open, ([number, { body, copies }]) => ({
      number,
      copies,
      value: showBytes(body),
    })),
    waiting: showSome(data.waiting, ([token, { body }]) => ({ token, value: showBytes(body) })),
    nextNumber: data.nextNumber,
    answeredBelow: data.answeredBelow,
    sentBelow: data.sentBelow,
    attempts: context.attempts,
    delayMs: context.delayMs,
    refusals: context.refusals,
    progressMs: context.progressMs,
    heardMs: context.heardMs,
  };
}

/** What it waits for: a gateway, or results. */
export function sessionWaits(state: string, context: SessionContext, nowMs: number): Wait[] {
  const { data, gateway } = context;
  const from = gateway === null ? [] : [gateway];
  const since = (ms: number) => Math.max(0, Math.round(nowMs - ms));
  if (state === "opening") {
    const reason = "no gateway has opened this session in the log yet";
    const sinceMs = since(context.sinceMs);
    return [{ for: "a gateway to open the session", from: [], have: 0, need: 1, sinceMs, reason }];
  }
  const need = data.open.size + data.waiting.size;
  if (need === 0) return [];
  const wait = { for: `results of ${need} requests`, from, have: 0, need };
  if (state === "open.backingOff") {
    const reason = `gateway ${gateway} is overloaded; sent again after ${context.retryAfterMs} ms`;
    return [{ ...wait, sinceMs: since(context.progressMs), reason }];
  }
  if (state === "reattaching") {
    const reason = `gateway ${gateway} is silent; any gateway may take the session over`;
    return [{ ...wait, from: [], sinceMs: since(context.heardMs), reason }];
  }
  if (state === "offline") {
    const reason = "there is no connection to the server; requests are held";
    return [{ ...wait, from: [], sinceMs: since(context.sinceMs), reason }];
  }
  const reason = "sent; the gateway has not told their outcome";
  return [{ ...wait, sinceMs: since(context.progressMs), reason }];
}

/** The client session, brought to its states by steps that tests share. */
import { expect } from "vitest";
import type { SessionContext } from "../../actors/session/context.js";
import { sessionMachine } from "../../actors/session/machine.js";
import { resolve } from "../../actors/session/services.js";
import { broadcast, type Effect, type Settlement, send } from "../../src/kernel/effect.js";
import type { Submission } from "../../src/paxos/clients/client.js";
import type { ClientRequests, Refused, Results } from "../../src/paxos/wire/messages.js";
import {
  Bench,
  ballot,
  heard,
  roleInput,
  START_MS,
  sender,
  testCluster,
} from "../support/steps.js";

export const SESSION = "5e".repeat(16);
export const RETRY_MS = testCluster().limits.retryDelayMs;
export const g1 = sender("gateway", "g1");
export const g2 = sender("gateway", "g2");

/** The slot in which the session is opened here. */
export const OPENED_IN = 7;

export const opened = (
  session = SESSION,
  openedIn: number | null = OPENED_IN,
  leaderGateway: string | null = null,
) => ({ type: "session-opened" as const, session, openedIn, leaderGateway });
export const openFresh = broadcast("gateway", {
  type: "open-session",
  session: SESSION,
  fresh: true,
});
export const reattach = broadcast("gateway", {
  type: "open-session",
  session: SESSION,
  fresh: false,
});

export function submission(token: number, bytes = 1): Submission {
  return { token, id: "", valueType: "bytes", body: new Uint8Array(bytes).fill(token) };
}

export const submit = (...requests: Submission[]) => ({
  type: "submit",
  requests,
  nowMs: START_MS,
});
export const withdraw = (...tokens: number[]) => ({ type: "withdraw", tokens, nowMs: START_MS });
export const at = (type: string, nowMs = START_MS) => ({ type, nowMs });

/** Requests as a message: `tokens` from number `first` on. */
export function requests(
  first: number,
  tokens: readonly number[],
  answeredBelow = 1,
): ClientRequests {
  return {
    type: "request",
    session: SESSION,
    answeredBelow,
    requests: tokens.map((token, index) => {
      const { id, valueType, body } = submission(token);
      return { number: first + index, id, valueType, body };
    }),
    openedIn: OPENED_IN,
  };
}

export function results(
  numbers: readonly number[],
  session = SESSION,
  leaderGateway: string | null = null,
): Results {
  const one = (number: number) => ({
    number,
    position: number,
    slot: number,
    ballot: ballot(1),
    syncedBy: ["a1"],
  });
  return { type: "results", session, results: numbers.map(one), leaderGateway };
}

export function refused(code: Refused["code"], fromNumber = 1, retryAfterMs = 100): Refused {
  const nothingWasSent = { bytesMax: null, mayHaveHappened: false, last: null };
  return { type: "refused", session: SESSION, fromNumber, code, retryAfterMs, ...nothingWasSent };
}

/** The log does not know the session any more; `last` as in {@link Refused}. */
export function expired(last: number | null): Refused {
  return { ...refused("session_expired"), last };
}

export const settle = (...settlements: Settlement[]): Effect => resolve(settlements);
export const done = (token: number, number = token): Settlement => ({
  kind: "done",
  token,
  position: number,
  slot: number,
  ballot: ballot(1),
  syncedBy: ["a1"],
});
export const failed = (
  token: number,
  code: (Settlement & { kind: "failed" })["code"],
  mayHaveHappened: boolean,
): Settlement => ({ kind: "failed", token, code, mayHaveHappened });

export const toG1 = (message: ClientRequests) => send("gateway", "g1", message);

export function starting(): Bench {
  return new Bench(sessionMachine, roleInput({ id: SESSION }));
}

/** A session that g1 serves, with these tokens on their way. */
export function serving(...tokens: number[]): Bench {
  const bench = starting();
  bench.take(heard(opened(), g1));
  expect(bench.state).toBe("open.idle");
  if (tokens.length > 0) bench.take(submit(...tokens.map((token) => submission(token))));
  return bench;
}

/** Effects without timers. */
export const said = (bench: Bench) => bench.effects.filter(({ kind }) => !/Timer$/.test(kind));
export const context = (bench: Bench) => bench.snapshot.context as SessionContext;

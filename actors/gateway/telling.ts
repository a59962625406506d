/** What a gateway says to clients, and to those who ask through the public subjects. */
import { type Effect, send } from "../../src/kernel/effect.js";
import type { Settled } from "../../src/paxos/clients/gateway.js";
import type { Outcome, Refused } from "../../src/paxos/wire/messages.js";

const RESULTS_MAX = 2048;

/** Refuses requests of a session from a number on; `last` as in {@link Refused}. */
export function refusal(
  code: Refused["code"],
  session: string,
  fromNumber: number,
  last: number | null = null,
): Refused {
  const rest = { retryAfterMs: 100, bytesMax: null, mayHaveHappened: false, last };
  return { type: "refused", session, fromNumber, code, ...rest };
}

/** Results for a client, in messages of bounded size; at least one. */
export function tellResults(
  client: string,
  session: string,
  results: readonly Extract<Outcome, { kind: "done" }>[],
  leaderGateway: string | null,
): Effect[] {
  const told: Effect[] = [];
  for (let at = 0; at === 0 || at < results.length; at += RESULTS_MAX) {
    const part = results
      .slice(at, at + RESULTS_MAX)
      .map(({ number, position, slot, ballot, syncedBy }) => ({
        number,
        position,
        slot,
        ballot,
        syncedBy,
      }));
    told.push(send("session", client, { type: "results", session, results: part, leaderGateway }));
  }
  return told;
}

/** Turns what is settled into answers to clients and to those who came through the door. */
export function tellSettled(settled: Settled, leaderGateway: string | null): Effect[] {
  const told: Effect[] = [];
  for (const { session, openedIn } of settled.opened) {
    const client = settled.clients.get(session);
    if (client === undefined) continue;
    const opened = { session, openedIn, leaderGateway };
    told.push(send("session", client, { type: "session-opened", ...opened }));
  }
  for (const [session, results] of settled.results) {
    const client = settled.clients.get(session);
    if (client === undefined) continue;
    told.push(...tellResults(client, session, results, leaderGateway));
  }
  for (const { token, outcome } of settled.receipts) {
    const { position, slot, ballot, syncedBy } = outcome;
    told.push({
      kind: "reply",
      token,
      answer: { kind: "receipt", position, slot, ballot, syncedBy },
    });
  }
  for (const token of settled.lost) {
    const message = "the gateway's session was evicted: the value may or may not be in the log";
    const answer = { kind: "refused" as const, code: "outcome_unknown", message };
    told.push({ kind: "reply", token, answer: { ...answer, mayHaveHappened: true } });
  }
  return told;
}

/** Refuses a public request. */
export function refuseProposal(
  token: string,
  code: string,
  message: string,
  mayHaveHappened = false,
): Effect {
  const answer = { kind: "refused" as const, code, message, mayHaveHappened };
  return { kind: "reply", token, answer: { ...answer, retryAfterMs: 100 } };
}

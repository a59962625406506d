/** One key's synod-proposer on a bench: what it hears and says, written short. */
import { expect } from "vitest";
import { synodProposerMachine } from "../../actors/synod-proposer/machine.js";
import { broadcast, type DoorAnswer, type Effect } from "../../src/kernel/effect.js";
import type { RoleInput } from "../../src/kernel/role.js";
import type { Ballot } from "../../src/paxos/ballot.js";
import { encodeTyped } from "../../src/paxos/command.js";
import { digest } from "../../src/paxos/digest.js";
import type { KeyNack, Vote } from "../../src/paxos/wire/messages.js";
import {
  Bench,
  ballot,
  heard,
  roleInput,
  sender,
  testCluster,
  timerCancelled,
  timerSet,
  value,
} from "./steps.js";

export const KEY = "lock";
export const ROLE = "synod-proposer";
export const { limits } = testCluster();
const client = sender("session", "c1");
export const acceptor = (n: number) => sender("acceptor", `a${n}`);
export const ours = (round: number): Ballot => ballot(round, "s1");
/** Ballots below our first one, of other proposers: what an acceptor may have voted at before. */
export const EARLIEST = ballot(1, "r9");
export const EARLIER = ballot(1, "s0");
export const theirs = (round: number): Ballot => ballot(round, "s2");

export const set = (delay: string, state: string, delayMs: number) =>
  timerSet(delay, `${ROLE}.${state}`, delayMs);
export const cancelled = (delay: string, state: string) =>
  timerCancelled(delay, `${ROLE}.${state}`);
export const retry = (state: string) => set("retryDelay", state, limits.retryDelayMs);
export const noRetry = (state: string) => cancelled("retryDelay", state);
export const linger = set("linger", "decided", limits.decideLingerMs);

export function fresh(rest: Partial<RoleInput> = {}): Bench {
  return new Bench(synodProposerMachine, roleInput({ id: "s1", instance: KEY, ...rest }));
}

/** A value as a key holds it: with its type. */
export function held(at: Ballot, text: string): Vote {
  const typed = encodeTyped("string", value(text));
  return { ballot: at, digest: digest(typed), value: typed };
}

/** A request for the key: a wish, or a question if there is no text. */
export function decide(text: string | null, reply: string) {
  const wish = text === null ? null : value(text);
  const message = { type: "decide", key: KEY, value: wish, valueType: "string", reply } as const;
  return heard(message, client);
}

export function promise(n: number, at: Ballot, vote: Vote | null = null) {
  return heard({ type: "key-promise", key: KEY, ballot: at, vote } as const, acceptor(n));
}

export function accepted(n: number, vote: Vote) {
  const { ballot: at, digest: name } = vote;
  const message = { type: "key-accepted", key: KEY, ballot: at, digest: name } as const;
  return heard(message, acceptor(n));
}

export function nack(
  n: number,
  at: Ballot,
  promised: Ballot | null,
  reason: KeyNack["reason"] = "stale",
) {
  const message = { type: "key-nack", key: KEY, ballot: at, promised, reason } as const;
  return heard(message, acceptor(n));
}

export const prepares = (at: Ballot) =>
  broadcast("acceptor", { type: "key-prepare", key: KEY, ballot: at });
export const proposes = (vote: Vote) =>
  broadcast("acceptor", { type: "key-accept", key: KEY, ...vote });
export const announces = (vote: Vote, syncedBy: string[]) =>
  broadcast("learner", { type: "key-chosen", key: KEY, ...vote, syncedBy });
export const reply = (token: string, answer: DoorAnswer): Effect => ({
  kind: "reply",
  token,
  answer,
});
export const decided = (token: string, at: Ballot, text: string, syncedBy: string[]): Effect =>
  reply(token, { kind: "decided", ballot: at, type: "string", value: value(text), syncedBy });
export const finish: Effect = { kind: "finish" };

/** A proposer in phase 1 of round 1. */
export function preparing(text: string | null, rest: Partial<RoleInput> = {}): Bench {
  const bench = fresh(rest);
  bench.take(decide(text, "t1"));
  expect(bench.state).toBe("preparing");
  return bench;
}

/** A proposer in phase 2 of round 1, with its own value. */
export function accepting(text: string, rest: Partial<RoleInput> = {}): Bench {
  const bench = preparing(text, rest);
  bench.take(promise(1, ours(1)));
  bench.take(promise(2, ours(1)));
  expect(bench.state).toBe("accepting");
  return bench;
}

/** A proposer that got its value chosen and has answered. */
export function done(text: string): Bench {
  const bench = accepting(text);
  bench.take(accepted(1, held(ours(1), text)));
  bench.take(accepted(3, held(ours(1), text)));
  expect(bench.state).toBe("decided");
  return bench;
}

/** The rest of a cluster of five. */
export const fiveAcceptors = {
  acceptors: [1, 2, 3, 4, 5].map((n) => ({ id: `a${n}`, storeId: `a${n}`.repeat(16) })),
};

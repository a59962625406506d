/** Steps of a gateway: what it hears of leader, learner and clients, and what it says to them. */
import { expect } from "vitest";
import { gatewayMachine } from "../../actors/gateway/machine.js";
import { broadcast, type Effect, send } from "../../src/kernel/effect.js";
import type { RoleInput } from "../../src/kernel/role.js";
import { openOwnSession } from "../../src/paxos/clients/gateway.js";
import { GatewayState } from "../../src/paxos/clients/gateway-state.js";
import { encodeCommand } from "../../src/paxos/command.js";
import type { Outcome, Refused } from "../../src/paxos/wire/messages.js";
import {
  Bench,
  ballot,
  heard,
  roleInput,
  START_MS,
  sender,
  testCluster,
  timerCancelled,
  timerSet,
  value,
} from "../support/steps.js";

export const { limits } = testCluster();
const NONCE = "0123456789abcdef";
/** A client's session, and the gateway's own. */
export const SESSION = "5e".repeat(16);
const state = new GatewayState();
openOwnSession(state, "g1", NONCE);
export const OWN = state.ownSession;
const CREDIT = 1 << 20;

const c1 = sender("session", "c1");
const { beaconMs } = limits;

// --- what it hears ----------------------------------------------------------------------------

export const beacon = (
  round: number,
  from = "p1",
  nowMs = START_MS,
  creditBytes = CREDIT,
  chosenWatermark = 0,
) =>
  heard(
    {
      type: "beacon",
      ballot: ballot(round, from),
      nextSlot: chosenWatermark,
      chosenWatermark,
      creditBytes,
      payloadBytesMax: null,
      gateway: null,
    },
    sender("proposer", from),
    nowMs,
  );

export const outcomes = (
  told: readonly Outcome[] = [],
  from = "l1",
  nowMs = START_MS,
  appliedWatermark = 1,
) =>
  heard(
    { type: "outcomes" as const, learner: from, appliedWatermark, outcomes: told },
    sender("learner", from, from === "here" ? { process: NONCE } : {}),
    nowMs,
  );

export const done = (session: string, number: number): Outcome => ({
  kind: "done",
  session,
  number,
  position: number,
  slot: number + 10,
  ballot: ballot(1),
  syncedBy: ["a1", "a2"],
});

/** The slot in which sessions are opened here. */
const OPENED_IN = 3;

export const opened = (session: string): Outcome => ({
  kind: "opened",
  session,
  openedIn: OPENED_IN,
});
export const expired = (session: string, last: number | null = null): Outcome => ({
  kind: "expired",
  session,
  number: 1,
  last,
});

export const open = (fresh = true, session = SESSION) =>
  heard({ type: "open-session", session, fresh }, c1);

export const request = (
  numbers: readonly number[],
  nowMs = START_MS,
  body = "v",
  answeredBelow = 1,
) =>
  heard(
    {
      type: "request",
      session: SESSION,
      answeredBelow,
      requests: numbers.map((number) => ({
        number,
        id: "",
        valueType: "string" as const,
        body: value(body),
      })),
      openedIn: OPENED_IN,
    },
    c1,
    nowMs,
  );

export const door = (token: string, body = "d", nowMs = START_MS) => ({
  type: "door.propose",
  token,
  id: "",
  valueType: "string",
  body: value(body),
  nowMs,
});

export const stop = { type: "stop", nowMs: START_MS };
export const tick = (inState: string, nowMs: number) => ({
  type: `xstate.after.followInterval.gateway.${inState}`,
  nowMs,
});

// --- what it says -----------------------------------------------------------------------------

export const openCommand = (session: string) =>
  encodeCommand({ kind: "open", session, gateway: "g1" });

const command = (session: string, number: number, text: string, answeredBelow = 1) =>
  encodeCommand({
    kind: "request",
    session,
    openedIn: OPENED_IN,
    number,
    answeredBelow,
    gateway: "g1",
    id: "",
    type: "string",
    body: value(text),
  });
export const clients = (number: number, text = "v", answeredBelow = 1) =>
  command(SESSION, number, text, answeredBelow);
export const own = (number: number, text = "d", answeredBelow = 1) =>
  command(OWN, number, text, answeredBelow);

export const proposes = (leader: string, ...commands: Uint8Array[]): Effect =>
  send("proposer", leader, { type: "propose", commands });

export const asksWho: Effect = broadcast("learner", { type: "follow", learner: null });
export const follows = (learner: string): Effect =>
  send("learner", learner, { type: "follow", learner });

export const set = (inState: string, intervals = 1) =>
  timerSet("followInterval", `gateway.${inState}`, intervals * beaconMs);
export const cancelled = (inState: string) =>
  timerCancelled("followInterval", `gateway.${inState}`);

export const toClient = (
  code: Refused["code"],
  fromNumber: number,
  last: number | null = null,
): Effect => {
  const refused = { type: "refused" as const, session: SESSION, fromNumber, code };
  return send("session", "c1", {
    ...refused,
    retryAfterMs: 100,
    bytesMax: null,
    mayHaveHappened: false,
    last,
  });
};

export const refusesDoor = (token: string, code: string): Effect => ({
  kind: "reply",
  token,
  answer: {
    kind: "refused",
    code,
    message: expect.any(String) as unknown as string,
    mayHaveHappened: false,
    retryAfterMs: 100,
  },
});

// --- how it comes there -----------------------------------------------------------------------

export const holding = (rest: Partial<RoleInput> = {}) =>
  new Bench(gatewayMachine, roleInput({ id: "g1", ...rest }));

/** Knows the leader p1 and a learner; its own session is open. */
export function routing(rest: Partial<RoleInput> = {}, learner = "l1"): Bench {
  const bench = holding(rest);
  bench.take(outcomes([], learner));
  bench.take(beacon(1));
  bench.take(outcomes([opened(OWN)], learner));
  return bench;
}

/** Serves the open session of c1, too. */
export function serving(rest: Partial<RoleInput> = {}): Bench {
  const bench = routing(rest);
  bench.take(open());
  bench.take(outcomes([opened(SESSION)]));
  return bench;
}

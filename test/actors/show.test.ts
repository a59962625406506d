/**
 * Goal: what a viewer shows of a role is plain data and small, whatever the role holds, and to show
 * it changes nothing.
 * Method: each role's machine at its start, and with ten thousand of everything in its context,
 * with long names and large values.
 */
import { inspect } from "node:util";
import { expect, it } from "vitest";
import type { AcceptorContext } from "../../actors/acceptor/context.js";
import type { ElectorContext } from "../../actors/elector/context.js";
import type { GatewayContext } from "../../actors/gateway/context.js";
import { roles } from "../../actors/index.js";
import type { LearnerContext } from "../../actors/learner/context.js";
import type { ProposerContext } from "../../actors/proposer/context.js";
import type { SessionContext } from "../../actors/session/context.js";
import type { SynodProposerContext } from "../../actors/synod-proposer/context.js";
import type { RoleSnapshot } from "../../src/kernel/role.js";
import { createStepper } from "../../src/kernel/step.js";
import { addSubmissions, takeRequests } from "../../src/paxos/clients/client.js";
import { add, openSession } from "../../src/paxos/clients/gateway.js";
import { digest } from "../../src/paxos/digest.js";
import { DEFAULT_LIMITS } from "../../src/paxos/limits.js";
import { ROLES, type RoleName, type Vote } from "../../src/paxos/wire/messages.js";
import { ballot, roleInput, START_MS } from "../support/steps.js";

const MANY = 10_000;
/** Enough to be cut, and few enough to be compared as text. */
const SOME = 40;
const BYTES_MAX = 4096;

const long = (n: number) => `${n} ${"long ".repeat(60)}`;
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);
const namesOf = (numbers: readonly number[]) => numbers.map(long);
const hex = (n: number) => n.toString(16).padStart(32, "0");
const bytes = (n: number) => new Uint8Array(300).fill(n);
const vote = (n: number): Vote => {
  return { ballot: ballot(n, long(n)), value: bytes(n), digest: digest(bytes(n)) };
};

type Changes<T> = { -readonly [K in keyof T]?: T[K] };

/** What fills a context, for each role. */
const full: { readonly [R in RoleName]: (context: never, numbers: readonly number[]) => object } = {
  acceptor: ({ data }: AcceptorContext, numbers): Changes<AcceptorContext> => {
    data.promised = ballot(MANY, long(1));
    for (const n of numbers) {
      data.votes.set(n, vote(n));
      data.keys.set(long(n), { promised: ballot(n, long(n)), vote: vote(n) });
    }
    const leader = { ballot: ballot(MANY, long(1)), heardMs: START_MS };
    return { leader, diskFull: long(1), haltReason: long(2) };
  },
  "synod-proposer": (_: SynodProposerContext, numbers): Changes<SynodProposerContext> => {
    const names = namesOf(numbers);
    return {
      key: long(1),
      wish: new Uint8Array(100_000),
      tokens: names,
      full: new Set(names),
      attempt: {
        ballot: ballot(1, long(1)),
        promises: new Map(names.map((name, n) => [name, vote(n)])),
        proposed: vote(1),
        voters: new Set(names),
        jumpRefusals: new Map(),
      },
      chosen: { ballot: ballot(1, long(1)), value: bytes(1), syncedBy: names },
    };
  },
  proposer: ({ data }: ProposerContext, numbers): Changes<ProposerContext> => {
    data.ballot = ballot(1, long(1));
    const voters = new Set(namesOf(numbers));
    for (const n of numbers) {
      const { value } = vote(n);
      const rest = { names: [], openedMs: START_MS, sentMs: START_MS, sends: 1, chosen: false };
      data.open.set(n, { value, digest: digest(value), voters, ...rest });
      data.queue.push({ command: value, name: n });
    }
    const leader = { id: long(1), ballot: ballot(1, long(1)), heardMs: START_MS };
    return { leader, gateway: long(2), haltReason: long(3) };
  },
  learner: ({ data }: LearnerContext, numbers): Changes<LearnerContext> => {
    const names = namesOf(numbers);
    for (const n of numbers) {
      const slot = { candidates: new Map(), chosenAt: null, entry: null, reports: new Map() };
      data.chosen.slots.set(n, slot);
      data.keys.decided.set(long(n), { ...vote(n), syncedBy: names, isCounted: true });
    }
    return {
      followers: new Map(names.map((name) => [name, START_MS])),
      helper: { role: "learner", id: long(1) },
    };
  },
  elector: (): Changes<ElectorContext> => ({
    leader: { id: long(1), ballot: ballot(1, long(1)) },
  }),
  gateway: ({ data }: GatewayContext, numbers): Changes<GatewayContext> => {
    for (const n of numbers) openSession(data, long(n), hex(n), "g1");
    for (const session of [...data.sessions.keys()].slice(0, 5)) {
      for (const n of numbers.slice(1)) {
        const held = data.sessions.get(session);
        const command = { session, number: n, blob: bytes(n), tokens: [long(n)], id: long(n) };
        if (held !== undefined) add(data, held, command);
      }
    }
    const rest = { heardMs: START_MS, payloadBytesMax: null, chosenWatermark: 1 };
    return {
      leader: { id: long(1), ballot: ballot(1, long(1)), gateway: long(2), ...rest },
      learner: { id: long(3), applied: 1, isHere: true, heardMs: START_MS },
    };
  },
  session: ({ data }: SessionContext, numbers): Changes<SessionContext> => {
    const requests = numbers.map((n) => {
      return { token: n, id: long(n), valueType: "bytes" as const, body: bytes(n) };
    });
    addSubmissions(data, requests);
    takeRequests(data, DEFAULT_LIMITS, START_MS, true);
    const left = { gateway: long(1), untilMs: START_MS };
    return { gateway: long(2), leaderGateway: long(3), left };
  },
};

function started(role: RoleName): RoleSnapshot {
  return createStepper().start(roles[role].machine, roleInput()).snapshot;
}

function filled(role: RoleName): RoleSnapshot {
  const snapshot = started(role);
  const changes = full[role](snapshot.context as never, upTo(MANY));
  return { ...snapshot, context: { ...snapshot.context, ...changes } } as RoleSnapshot;
}

/** The whole content of a context, of classes' private fields too. */
function contentOf({ context }: RoleSnapshot): string {
  const all = { depth: null, maxArrayLength: null, maxStringLength: null, showHidden: true };
  return inspect({ ...context, cluster: null }, all);
}

it.each(ROLES.flatMap((role) => [started, filled].map((make) => [role, make] as const)))(
  "a %s shows plain data (%o)",
  (role, make) => {
    const snapshot = make(role);
    const shown = roles[role].show(snapshot);
    const text = JSON.stringify(shown);
    expect(JSON.parse(text)).toEqual(shown);
    expect(new TextEncoder().encode(text).length).toBeLessThanOrEqual(BYTES_MAX);
    expect(Object.keys(shown as object).length).toBeGreaterThan(4);
  },
);

it.each(ROLES)("a %s is not changed by being shown", (role) => {
  const snapshot = started(role);
  full[role](snapshot.context as never, upTo(SOME));
  const before = digest(new TextEncoder().encode(contentOf(snapshot)));
  const shown = roles[role].show(snapshot);
  expect(roles[role].show(snapshot)).toEqual(shown);
  expect(digest(new TextEncoder().encode(contentOf(snapshot)))).toBe(before);
});

/** Leaders that put together, in phase 1, what nobody promised them. */
import { assign } from "xstate";
import type { Inbound } from "../../kernel/role.js";
import type { ProposerState } from "../../paxos/consensus/proposer.js";
import type { Promise1b } from "../../paxos/wire/messages.js";
import { type Broken, type Roles, realAssign, replaceIn } from "./broken.js";
import { behead, logScene } from "./scenes.js";

interface Context {
  readonly data: ProposerState;
}
type Args = { context: Context; event: Inbound<Promise1b> };

/** Promises of many parts, of which some are lost or late. */
const parts = logScene({
  setup: { limits: { partBytesMax: 300, batchCommandsMax: 1, pipelineSlotsMax: 16 } },
  weather: { loss: 0.2, reorder: 0.2, late: 0.02 },
  fault: behead,
  faults: 8,
  requests: 80,
});

/** Lays the parts of whatever promise of an acceptor on one heap. */
const mixParts = assign(({ context: { data }, event }: Args) => {
  for (const { from, message } of event.received) {
    const { id, incarnation } = from;
    const { answer, part, parts: count } = message;
    const known = data.assemblies.get(id) ?? { incarnation, answer, parts: new Map() };
    data.assemblies.set(id, known);
    known.parts.set(part, message);
    if (known.parts.size < count) continue;
    const all = [...known.parts.values()];
    data.promises.set(id, {
      incarnation,
      answer,
      trimmed: Math.max(...all.map(({ trimmed }) => trimmed)),
      chosenWatermark: Math.max(...all.map(({ chosenWatermark }) => chosenWatermark)),
      votes: all.flatMap(({ votes }) => votes),
    });
  }
  return {};
});

/** Begins a ballot with the parts that an earlier one has left. */
function keepParts(real: Roles) {
  const begin = realAssign<Context, unknown>(real, "proposer", "beginBallot");
  return assign((args: { context: Context; event: unknown }) => {
    const { data } = args.context;
    const left = new Map(data.assemblies);
    const begun = begin(args);
    data.assemblies = left;
    return begun;
  });
}

export const promisePartsMixed: Broken = {
  name: "promise-parts-mixed",
  what: "parts of two promises of an acceptor are put together to one",
  roles: (real) =>
    replaceIn(real, "proposer", {
      actions: { recordPromise: mixParts, beginBallot: keepParts(real) },
    }),
  hunt: { plan: parts, seedsMax: 10, catches: ["phase2a", "P2b", "P2c"] },
};

/** Takes the first part that comes for the whole. */
function countFirstPart(real: Roles) {
  const record = realAssign<Context, Inbound<Promise1b>>(real, "proposer", "recordPromise");
  return assign(({ context, event }: Args) => {
    const received = event.received.map(({ from, message }) => ({
      from,
      message: { ...message, parts: 1 },
    }));
    return record({ context, event: { ...event, received } });
  });
}

export const incompletePromiseCounted: Broken = {
  name: "incomplete-promise-counted",
  what: "a promise counts as soon as one of its parts has come",
  roles: (real) =>
    replaceIn(real, "proposer", { actions: { recordPromise: countFirstPart(real) } }),
  hunt: { plan: parts, seedsMax: 10, catches: ["phase2a", "P2b", "P2c"] },
};

export const phaseOneSkipped: Broken = {
  name: "phase-one-skipped",
  what: "a leader proposes without waiting for promises, since its ballot is higher",
  roles: (real) => replaceIn(real, "proposer", { guards: { promisesSuffice: () => true } }),
  hunt: {
    plan: logScene({ fault: behead, faults: 3 }),
    seedsMax: 5,
    catches: ["phase2a", "P2b", "P2c"],
  },
};

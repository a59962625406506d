/** What happens if two lives of one memory in one incarnation are taken for one. */
import { assign } from "xstate";
import type { SeededRandom } from "../../adapters/memory/random.js";
import { Outbox } from "../../kernel/outbox.js";
import type { Inbound } from "../../kernel/role.js";
import { type AcceptorState, ANSWERS_PER_LIFE } from "../../paxos/consensus/acceptor.js";
import type { ProposerState } from "../../paxos/consensus/proposer.js";
import type { Promise1b } from "../../paxos/wire/messages.js";
import type { Request } from "../plan/plan.js";
import { type Broken, type Roles, realAssign, replaceIn } from "./broken.js";
import { anAcceptor, behead, type Following, logScene } from "./scenes.js";

/** Keys among the commands: an acceptor that promised a ballot of the log still writes. */
const alsoKeys = (random: SeededRandom, value: string): Request =>
  random.next() < 0.5
    ? { kind: "submit", value }
    : { kind: "decide", key: `k${1 + random.integer(40)}`, value };

/** A leader dies, and disks are full again and again while the next one prepares. */
const fullInPhase1 = (random: SeededRandom): Following[] => [
  [0, behead(random)],
  ...Array.from({ length: 8 }, (_, n): Following => {
    const store = `acceptor ${anAcceptor(random)}`;
    return [80 + n * 40, { kind: "fullDisk", store, forMs: 10 + random.integer(30) }];
  }),
];

const reloads = logScene({
  setup: {
    limits: { partBytesMax: 300, batchCommandsMax: 1, pipelineSlotsMax: 16, recheckMs: 10 },
  },
  weather: { loss: 0.25, reorder: 0.3 },
  fault: fullInPhase1,
  faults: 6,
  request: alsoKeys,
  requests: 200,
  clients: 6,
  calmMs: 2500,
});

interface AcceptorArgs {
  readonly context: { readonly data: AcceptorState };
  readonly event: unknown;
}

/** Counts its answers from 0 in each life, and leaves the life out of their names. */
function recordWithoutLife(real: Roles) {
  const record = realAssign<AcceptorArgs["context"], unknown>(real, "acceptor", "recordPromise");
  return assign((args: AcceptorArgs) => {
    args.context.data.life = 0;
    return record(args);
  });
}

export const answerNamedTwice: Broken = {
  name: "answer-named-twice",
  what: "an acceptor counts its answers from 0 again after a full disk, in the same incarnation",
  world: "log-reload",
  roles: (real) =>
    replaceIn(real, "acceptor", { actions: { recordPromise: recordWithoutLife(real) } }),
  hunt: { plan: reloads, seedsMax: 10, catches: ["noAnswerTwice"] },
};

interface ProposerArgs {
  readonly context: { readonly data: ProposerState };
  readonly event: Inbound<Promise1b>;
}

/** Puts parts together by the number of the answer within a life, and compares nothing else. */
function joinLives(real: Roles) {
  const record = realAssign<ProposerArgs["context"], Inbound<Promise1b>>(
    real,
    "proposer",
    "recordPromise",
  );
  return assign(({ context, event }: ProposerArgs) => {
    for (const one of event.received) {
      const { parts, trimmed, chosenWatermark } = one.message;
      const answer = one.message.answer % ANSWERS_PER_LIFE;
      const known = context.data.assemblies.get(one.from.id)?.parts;
      for (const [index, part] of known ?? []) {
        known?.set(index, { ...part, parts, trimmed, chosenWatermark });
      }
      const received = [{ ...one, message: { ...one.message, answer } }];
      record({ context, event: { ...event, received } });
    }
    return {};
  });
}

export const livesJoined: Broken = {
  name: "lives-joined",
  what: "a proposer joins parts of two promises, made before and after a full disk",
  world: "log-reload",
  roles: (real) => replaceIn(real, "proposer", { actions: { recordPromise: joinLives(real) } }),
  hunt: { plan: reloads, firstSeed: 6, seedsMax: 10, catches: ["phase2a", "P2b", "P2c"] },
};

/** Takes the answer to a write of an earlier life for one of the present. */
class BelievingOutbox extends Outbox {
  override hasGivenUp(): boolean {
    return false;
  }
}

export const earlierLifeBelieved: Broken = {
  name: "earlier-life-believed",
  what: "a refusal of a write that an earlier life asked for throws the present memory away",
  ports: { createOutbox: (release) => new BelievingOutbox(release) },
  hunt: {
    plan: logScene({
      setup: { limits: { recheckMs: 10 } },
      // A sync takes much longer than an acceptor waits for room.
      syncMs: 150,
      request: alsoKeys,
      fault: (random) => {
        const store = `acceptor ${anAcceptor(random)}`;
        return [
          [0, { kind: "fullDisk", store, forMs: 5 + random.integer(60) }],
          [20, behead(random)],
        ];
      },
      faults: 12,
      requests: 200,
      clients: 6,
      calmMs: 2500,
    }),
    seedsMax: 30,
    catches: [
      ...["promisesNeverFall", "votesNeverFall", "promiseReportsVotes"],
      ...["P1a", "durableBeforeSpoken", "P1"],
    ],
  },
};

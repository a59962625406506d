/** What a proposer of the log knows, and what it shows. */
import type { Neighbour, RoleInput, RoleStatus, Wait } from "../../src/kernel/role.js";
import { type Plain, showNames, showSome, showText } from "../../src/kernel/show.js";
import { type Ballot, ballotOwner, formatBallot } from "../../src/paxos/ballot.js";
import { type Cluster, configAt, formsPhase1Quorum, standingIn } from "../../src/paxos/cluster.js";
import { ProposerState } from "../../src/paxos/consensus/proposer.js";
import type { LastHeard, Message } from "../../src/paxos/wire/messages.js";

/** The proposer's context. `data` is bulk and has one owner. */
export interface ProposerContext {
  readonly id: string;
  readonly cluster: Cluster;
  readonly owner: string;
  readonly seed: number;
  readonly data: ProposerState;
  /** The leader it follows, from beacons. */
  readonly leader: {
    readonly id: string;
    readonly ballot: Ballot;
    readonly heardMs: number;
  } | null;
  /** The elector that named it last. */
  readonly namedBy: string | null;
  /**
   * Latest answers to the question that is open. Questions are counted from the seed: an answer to
   * one of an earlier life, or of an earlier process, must not count for this one.
   */
  readonly question: number;
  /** How often it was asked. */
  readonly asks: number;
  readonly answers: ReadonlyMap<string, LastHeard>;
  readonly attempts: number;
  readonly backoffMs: number;
  /** Messages that the last rule made. */
  readonly outgoing: readonly Message[];
  /** Commands of the last message that the queue did not take: no room, or copies. */
  readonly overloaded: number;
  /** Commands that the last rule dropped: no message that the server takes now can carry them. */
  readonly tooLarge: number;
  readonly copies: number;
  /** Promises that the last step dropped: their votes did not show their watermark. */
  readonly unfounded: number;
  /** Beacons in a row that it sent as leader with nothing under way. */
  readonly restBeacons: number;
  readonly elections: number;
  readonly nacks: number;
  readonly haltReason: string | null;
  /** When it stepped aside last because its process was slow; null: never. */
  readonly steppedAsideMs: number | null;
  /** A gateway of its process, for its beacon. */
  readonly gateway: string | null;
  readonly sinceMs: number;
}

/** The gateway to name: the first of this process. */
export function gatewayAmong(neighbours: readonly Neighbour[]): string | null {
  return neighbours.find(({ role }) => role === "gateway")?.id ?? null;
}

/** Builds the context from what the store held: the highest round used. */
export function proposerContext(input: RoleInput): ProposerContext {
  const data = new ProposerState();
  for (const record of input.records) {
    if (record.kind === "round") data.highestRound = Math.max(data.highestRound, record.round);
  }
  data.usedRound = data.highestRound;
  return {
    id: input.id,
    cluster: input.cluster,
    owner: ballotOwner(input.id, input.nonce),
    seed: input.seed,
    data,
    leader: null,
    namedBy: null,
    question: input.seed,
    asks: 0,
    answers: new Map(),
    attempts: 0,
    backoffMs: 0,
    outgoing: [],
    overloaded: 0,
    tooLarge: 0,
    copies: 0,
    unfounded: 0,
    restBeacons: 0,
    elections: 0,
    nacks: 0,
    haltReason: null,
    steppedAsideMs: null,
    gateway: gatewayAmong(input.neighbours),
    sinceMs: input.nowMs,
  };
}

/** What `status` shows of a proposer. */
export function proposerStatus(state: string, context: ProposerContext): RoleStatus {
  const { data, leader, elections, nacks } = context;
  // A standby does not follow the log: what it knew when it led is out of date.
  const leads = state === "adopting" || state.startsWith("leading");
  return {
    ballot: data.ballot === null ? null : formatBallot(data.ballot),
    leader: leader?.id ?? null,
    ...(leads ? { chosenWatermark: data.chosenWatermark } : {}),
    elections,
    nacks,
  };
}

const showBallot = (ballot: Ballot | null) => showText(ballot && formatBallot(ballot));

/** What a viewer shows of a proposer: its ballot, who promised, and the slots under way. */
export function showProposer({ data, leader, ...context }: ProposerContext): Plain {
  return {
    ballot: showBallot(data.ballot),
    highestRound: data.highestRound,
    promised: showNames([...data.promises.keys()]),
    fromSlot: data.fromSlot,
    chosenWatermark: data.chosenWatermark,
    adoptedBelow: data.adoptedBelow,
    nextSlot: data.nextSlot,
    open: showSome(data.open, ([slot, open]) => ({
      slot,
      value: { bytes: open.value.length, digest: open.digest },
      voters: showNames(open.voters),
      sends: open.sends,
      chosen: open.chosen,
    })),
    queue: { count: data.queue.length, bytes: data.queueBytes },
    leader: leader && {
      id: showText(leader.id),
      ballot: showBallot(leader.ballot),
      heardMs: leader.heardMs,
    },
    answers: showNames([...context.answers.keys()]),
    gateway: showText(context.gateway),
    elections: context.elections,
    nacks: context.nacks,
    backoffMs: context.backoffMs,
    haltReason: showText(context.haltReason),
  };
}

/** Acceptors that have not heard a leader for so long that a standby may prepare. */
function silentAcceptors({ answers, cluster }: ProposerContext): ReadonlySet<string> {
  const silent = [...answers].filter(
    ([, { agoMs }]) => agoMs === null || agoMs >= cluster.limits.silenceMs,
  );
  return new Set(silent.map(([acceptor]) => acceptor));
}

/** Says whether a phase-1 quorum has not heard a leader for that long. */
export function quorumIsSilent(context: ProposerContext): boolean {
  const config = configAt(context.cluster, context.data.chosenWatermark);
  return formsPhase1Quorum(config, silentAcceptors(context));
}

/** What it waits for: answers, promises, votes, room in the window, or its turn. */
export function proposerWaits(state: string, context: ProposerContext, nowMs: number): Wait[] {
  const { data, cluster } = context;
  const sinceMs = Math.max(0, Math.round(nowMs - context.sinceMs));
  const ballot = data.ballot === null ? "" : formatBallot(data.ballot);
  const phase1 = (present: ReadonlySet<string>) =>
    standingIn(configAt(cluster, data.chosenWatermark), 1, present);
  if (state === "asking") {
    const reason = "a standby prepares only when a phase-1 quorum has not heard the leader either";
    const what = "acceptors to say that they have not heard the leader";
    return [{ for: what, ...phase1(silentAcceptors(context)), sinceMs, reason }];
  }
  if (state === "preparing") {
    const reason = "phase 1 needs a quorum that promised";
    const standing = phase1(new Set(data.promises.keys()));
    return [{ for: `promises of ballot ${ballot}`, ...standing, sinceMs, reason }];
  }
  if (state === "preempted") {
    const reason = `a higher ballot is promised; standing by again after ${context.backoffMs} ms`;
    return [{ for: "its turn", from: [], have: 0, need: 0, sinceMs, reason }];
  }
  return votesAwaited(context, nowMs);
}

function votesAwaited({ data, cluster }: ProposerContext, nowMs: number): Wait[] {
  for (const [slot, open] of data.open) {
    if (open.chosen) continue;
    const name = data.ballot === null ? "" : ` at ballot ${formatBallot(data.ballot)}`;
    return [
      {
        for: `votes for slot ${slot}${name}`,
        ...standingIn(configAt(cluster, slot), 2, open.voters),
        sinceMs: Math.max(0, Math.round(nowMs - open.openedMs)),
        reason: "a value is chosen when a phase-2 quorum has voted for it, synced",
      },
    ];
  }
  return [];
}

/**
 * Every message between roles, and the flows they make.
 *
 * Single-decree Synod, one instance a key (PMS §2):
 *
 *   synod-proposer ──key-prepare──▶ acceptors          phase 1a
 *   synod-proposer ◀─key-promise─── acceptor           phase 1b, after its sync
 *   synod-proposer ──key-accept───▶ acceptors          phase 2a   (learners listen: the value)
 *   synod-proposer ◀─key-accepted── acceptor           phase 2b, after its sync   (▶ learners too)
 *   synod-proposer ◀─key-nack────── acceptor           "abandon": a higher ballot is promised
 *   synod-proposer ──key-chosen───▶ learners           or distinguished learners say it
 *
 * Multi-Paxos, one instance a slot (PMS §3):
 *
 *   proposer ──prepare(ballot, fromSlot)──▶ acceptors  once for all slots from there on
 *   proposer ◀─promise part k of n───────── acceptor   every vote it has from there on
 *   gateway  ──propose(commands)──▶ leader
 *   leader   ──accept(ballot, slots…)──▶ acceptors     (learners listen: the values)
 *   leader   ◀─accepted(ballot, digests)── acceptor    (▶ learners instead, if they tally)
 *   leader   ──chosen(ballot, from, to)──▶ learners    or on the next `accept`
 *   learner  ──repair(from, to)──▶ acceptors, learners
 *   learner  ◀─votes │ entries─────
 *   leader   ──beacon──▶ everybody                     the tail, when idle
 *   leader   ──basis──▶ learners                       what its ballot rests on, kept for `prove`
 *   learner  ──ask-basis──▶ leader                     it lacks the basis of a beacon's ballot
 *
 * Election, a hint (PMS §2.4):
 *
 *   elector ──ping──▶ proposer ──pong──▶ elector       a request; NATS answers 503 for the dead
 *   elector ──hint──▶ proposers
 *   standby ──ask-leader──▶ acceptors ──last-heard──▶ standby
 *
 * Clients:
 *
 *   session ──open │ request──▶ gateway ──opened │ results │ refused──▶ session
 *   gateway ──follow──▶ learner ──outcomes──▶ gateway
 *
 * Any message may be lost, repeated, late, or come from a process that is dead by now. Unless its
 * type says more: a repeat is harmless, and a late one is judged by its ballot alone.
 */
import type { Ballot } from "../ballot.js";
import type { BodyType } from "../command.js";
import type { Receipt } from "../receipt.js";

/** Every role, the one word that names its folder, subject, command-line argument and chart. */
export const ROLES = [
  "acceptor",
  "synod-proposer",
  "proposer",
  "learner",
  "elector",
  "gateway",
  "session",
] as const;

/** One of {@link ROLES}. */
export type RoleName = (typeof ROLES)[number];

/** Who sent a message, as its envelope says and its subject confirms. */
export interface Sender {
  readonly role: RoleName;
  readonly id: string;
  /** The sender's store; null for roles without one. */
  readonly storeId: string | null;
  /** Grows with each start of the store; 0 for roles without one. */
  readonly incarnation: number;
  /** Synced transactions of the store so far; 0 for roles without one. */
  readonly writeNumber: number;
  /** 16 hexadecimal digits, drawn when the process started. */
  readonly process: string;
}

/** What an acceptor voted for in a slot or key. */
export interface Vote {
  readonly ballot: Ballot;
  readonly digest: string;
  readonly value: Uint8Array;
}

/** A vote and the slot it was cast in. */
export interface SlotVote extends Vote {
  readonly slot: number;
}

/** Slots `from` ≤ slot < `to`, chosen at `ballot` by the votes of the acceptors `syncedBy`. */
export interface ChosenRange {
  readonly ballot: Ballot;
  readonly from: number;
  readonly to: number;
  readonly syncedBy: readonly string[];
}

/** A chosen value with its evidence. */
export interface ChosenEntry {
  readonly slot: number;
  readonly ballot: Ballot;
  readonly value: Uint8Array;
  /** Acceptors known to have voted for it, synced. */
  readonly syncedBy: readonly string[];
}

// --- single-decree Synod ---------------------------------------------------------------------

/** Phase 1a of one key. synod-proposer → every acceptor; again after `retryDelayMs`. */
export interface KeyPrepare {
  readonly type: "key-prepare";
  readonly key: string;
  readonly ballot: Ballot;
}

/** Phase 1b. acceptor → the synod-proposer that asked, after its sync; one for every prepare. */
export interface KeyPromise {
  readonly type: "key-promise";
  readonly key: string;
  readonly ballot: Ballot;
  readonly vote: Vote | null;
}

/** Phase 2a. synod-proposer → every acceptor; learners hear it for its value. */
export interface KeyAccept {
  readonly type: "key-accept";
  readonly key: string;
  readonly ballot: Ballot;
  readonly digest: string;
  readonly value: Uint8Array;
}

/** Phase 2b. acceptor → the synod-proposer, and to learners as `learn` says; after its sync. */
export interface KeyAccepted {
  readonly type: "key-accepted";
  readonly key: string;
  readonly ballot: Ballot;
  readonly digest: string;
}

/** Why an acceptor refuses. */
export type NackReason = "stale" | "round_jump" | "too_many" | "second_digest" | "trimmed";

/** A refusal. acceptor → the synod-proposer; states a durable promise, so it waits for the sync. */
export interface KeyNack {
  readonly type: "key-nack";
  readonly key: string;
  readonly ballot: Ballot;
  readonly promised: Ballot | null;
  readonly reason: NackReason;
}

/**
 * An announcement. the synod-proposer that got the value chosen, or a distinguished learner that
 * counted the votes → every learner, as `learn` says. May repeat: a learner keeps what it heard
 * first. Late is harmless.
 */
export interface KeyChosen {
  readonly type: "key-chosen";
  readonly key: string;
  /** The ballot at which `syncedBy` voted for the value. */
  readonly ballot: Ballot;
  readonly digest: string;
  readonly value: Uint8Array;
  /** Acceptors known to have voted for it, synced. */
  readonly syncedBy: readonly string[];
}

/** A client's wish for a key. anyone → a synod-proposer (queue group), as a request. */
export interface Decide {
  readonly type: "decide";
  readonly key: string;
  /** null only asks: answers the decided value, or null if a phase-1 quorum holds no vote. */
  readonly value: Uint8Array | null;
  readonly valueType: BodyType;
  /** Where the answer goes: the host's token for the waiting request. */
  readonly reply: string;
}

// --- Multi-Paxos -----------------------------------------------------------------------------

/** Phase 1a for every slot ≥ `fromSlot`. proposer → every acceptor; again after `retryDelayMs`. */
export interface Prepare {
  readonly type: "prepare";
  readonly ballot: Ballot;
  readonly fromSlot: number;
}

/**
 * Phase 1b, part `part` of `parts` of one answer. acceptor → the proposer, after its sync. Parts of
 * different answers never combine; an answer counts only when it is complete.
 */
export interface Promise1b {
  readonly type: "promise";
  readonly ballot: Ballot;
  /**
   * Names the answer within one incarnation; all parts of an answer have the same. life · 2^32 + n:
   * the n-th answer since the acceptor read its memory, which it had read `life` times before. A
   * later answer has a higher one.
   */
  readonly answer: number;
  /** 0 … parts − 1 */
  readonly part: number;
  readonly parts: number;
  /** Every slot below is chosen and its vote forgotten. */
  readonly trimmed: number;
  /** Every slot below is chosen; its vote is kept but not reported. At least `trimmed`. */
  readonly chosenWatermark: number;
  /** Votes of slots ≥ max(fromSlot, chosenWatermark), those that are in this part. */
  readonly votes: readonly SlotVote[];
}

/**
 * Phase 2a for the slots firstSlot, firstSlot + 1, … leader → every acceptor; learners hear it for
 * the values. A repeat is answered like the first.
 */
export interface Accept {
  readonly type: "accept";
  readonly ballot: Ballot;
  readonly firstSlot: number;
  readonly digests: readonly string[];
  readonly values: readonly Uint8Array[];
  /** The leader's contiguous chosen watermark. */
  readonly chosenWatermark: number;
  /** What became chosen since the last message: an announcement that travels along. */
  readonly chosen: readonly ChosenRange[];
}

/** Phase 2b. acceptor → leader, or → learners as `learn` says; after its sync. */
export interface Accepted {
  readonly type: "accepted";
  readonly ballot: Ballot;
  readonly votes: readonly { readonly slot: number; readonly digest: string }[];
}

/** A refusal of a prepare, beacon (slot null) or accept. acceptor → proposer; after its sync. */
export interface Nack {
  readonly type: "nack";
  readonly ballot: Ballot;
  readonly promised: Ballot | null;
  readonly slot: number | null;
  readonly reason: NackReason;
}

/** An announcement. leader (or a distinguished learner) → every learner. */
export interface Chosen {
  readonly type: "chosen";
  readonly ranges: readonly ChosenRange[];
}

/**
 * The leader's sign of life and the tail of its log. leader → everybody, each `beaconMs`; a learner
 * behind `chosenWatermark` asks for the rest.
 */
export interface Beacon {
  readonly type: "beacon";
  readonly ballot: Ballot;
  readonly nextSlot: number;
  readonly chosenWatermark: number;
  /** Bytes of commands a gateway may have on the way to this leader. */
  readonly creditBytes: number;
  /**
   * The largest message that the leader's server takes, in bytes; null: the leader knows no limit.
   * A gateway refuses what the leader could not pass on.
   */
  readonly payloadBytesMax: number | null;
  /** A gateway in the leader's process: requests through it save a hop. Null: there is none. */
  readonly gateway: string | null;
}

/**
 * The promises of the phase-1 quorum that a ballot rests on, kept as evidence. leader → every
 * learner, once it has adopted, and to a learner that asks. Nothing that protects safety reads it.
 */
export interface Basis {
  readonly type: "basis";
  readonly ballot: Ballot;
  /** The first slot that the ballot may propose in. */
  readonly start: number;
  /** Votes of this slot and above are left out, there were too many; null: none is. */
  readonly cutAt: number | null;
  readonly promises: readonly {
    readonly acceptor: string;
    /** Of the acceptor's store when it promised. */
    readonly incarnation: number;
    readonly answer: number;
    readonly chosenWatermark: number;
    /** Votes it reported of slots ≥ `start`, below `cutAt`. */
    readonly votes: readonly {
      readonly slot: number;
      readonly ballot: Ballot;
      readonly digest: string;
    }[];
  }[];
}

/** A learner's question for a basis that it lacks. learner → the leader whose beacon it heard. */
export interface AskBasis {
  readonly type: "ask-basis";
  readonly ballot: Ballot;
}

/**
 * A request for what was chosen, or voted for, in from ≤ slot < to. learner → acceptor, learner.
 */
export interface Repair {
  readonly type: "repair";
  readonly from: number;
  readonly to: number;
  /** Most bytes of values the asker takes in one answer. */
  readonly bytesMax: number;
}

/**
 * An acceptor's answer to `repair`: its votes, each of which is one vote and no more.
 * acceptor → learner, after its sync. Slots without a vote are absent; `to` may be lower than
 * asked.
 */
export interface Votes {
  readonly type: "votes";
  readonly from: number;
  readonly to: number;
  readonly trimmed: number;
  readonly votes: readonly SlotVote[];
}

/** A learner's answer to `repair`: chosen values. learner → learner. */
export interface Entries {
  readonly type: "entries";
  readonly from: number;
  readonly to: number;
  /** First slot the answering learner still has. */
  readonly trimmed: number;
  readonly entries: readonly ChosenEntry[];
}

// --- election --------------------------------------------------------------------------------

/** Names a proposer that should lead. elector → every proposer; never a safety input. */
export interface Hint {
  readonly type: "hint";
  readonly candidate: string;
  /** The ballot under suspicion; null if no leader was ever heard. */
  readonly suspects: Ballot | null;
}

/** A standby's question before it prepares. proposer → every acceptor. */
export interface AskLeader {
  readonly type: "ask-leader";
  /** Tells this question from earlier ones. */
  readonly question: number;
}

/** The answer. acceptor → proposer. */
export interface LastHeard {
  readonly type: "last-heard";
  readonly question: number;
  readonly promised: Ballot | null;
  /**
   * Milliseconds since an accept or beacon of the promised ballot; null if none since the start.
   */
  readonly agoMs: number | null;
  readonly chosenWatermark: number;
}

// --- clients ---------------------------------------------------------------------------------

/** Commands for the log, in order. gateway → leader; sent again until their outcome is known. */
export interface Propose {
  readonly type: "propose";
  readonly commands: readonly Uint8Array[];
}

/** Asks for the outcomes of this gateway's commands. gateway → learner(s), each `beaconMs`. */
export interface Follow {
  readonly type: "follow";
  /** The learner that is to answer; null asks who is there. */
  readonly learner: string | null;
}

/** What became of one request. */
export type Outcome =
  | ({ readonly kind: "done"; readonly session: string; readonly number: number } & Receipt)
  /** `openedIn`: the slot. */
  | { readonly kind: "opened"; readonly session: string; readonly openedIn: number }
  /** A request came before its predecessor took effect; `expected` is the number awaited. */
  | {
      readonly kind: "early";
      readonly session: string;
      readonly number: number;
      readonly expected: number;
    }
  /** `last`: as of {@link Refused}. */
  | {
      readonly kind: "expired";
      readonly session: string;
      readonly number: number;
      readonly last: number | null;
    }
  /** A repeat of a request whose result the client has: whoever still holds it may let go. */
  | { readonly kind: "answered"; readonly session: string; readonly number: number }
  /** The client ended the session: the table holds it no more. `number` is that of the end. */
  | { readonly kind: "ended"; readonly session: string; readonly number: number };

/** Outcomes of a gateway's commands, in log order. learner → gateway. */
export interface Outcomes {
  readonly type: "outcomes";
  readonly learner: string;
  readonly appliedWatermark: number;
  readonly outcomes: readonly Outcome[];
}

/** Opens a session, or takes it to this gateway. session → gateway (queue group, or one named). */
export interface OpenSession {
  readonly type: "open-session";
  readonly session: string;
  /** false: the session was open before; an unknown one is answered `session_expired`. */
  readonly fresh: boolean;
}

/** The session is open, and served here. gateway → session. */
export interface SessionOpened {
  readonly type: "session-opened";
  readonly session: string;
  /** The slot in which it was opened; null: elsewhere, the session knows. */
  readonly openedIn: number | null;
  /** As of {@link Results}. */
  readonly leaderGateway: string | null;
}

/** Requests of one session, in order of number. session → its gateway; again after a silence. */
export interface ClientRequests {
  readonly type: "request";
  readonly session: string;
  readonly answeredBelow: number;
  readonly requests: readonly {
    readonly number: number;
    readonly id: string;
    readonly valueType: BodyType;
    readonly body: Uint8Array;
  }[];
  /** The slot in which the session was opened, as it was told first. */
  readonly openedIn: number | null;
}

/** The client closes: nothing more is asked. session → its gateway, once; nobody answers. */
export interface EndSession {
  readonly type: "end-session";
  readonly session: string;
  /** The client has the result of every request of a lower number, or waits for it no more. */
  readonly answeredBelow: number;
  /** The number after that of the session's last request. */
  readonly number: number;
  readonly openedIn: number;
}

/** Results, and refusals of single requests. gateway → session. */
export interface Results {
  readonly type: "results";
  readonly session: string;
  readonly results: readonly ({ readonly number: number } & Receipt)[];
  /** The gateway in the leader's process, as far as this one knows: the session may move there. */
  readonly leaderGateway: string | null;
}

/**
 * Requests from `fromNumber` on were not passed on; with `too_large` that one alone.
 * gateway → session.
 */
export interface Refused {
  readonly type: "refused";
  readonly session: string;
  readonly fromNumber: number;
  readonly code: "overloaded" | "session_expired" | "too_large" | "stopped";
  readonly retryAfterMs: number;
  /** Of `too_large`: bytes that a value may have here at the moment; null otherwise. */
  readonly bytesMax: number | null;
  /** Of `too_large`: an earlier copy went to a leader, and may be chosen yet. */
  readonly mayHaveHappened: boolean;
  /**
   * Of an expired session: requests with higher numbers did not take effect and never do; null: not
   * known, and for the other codes.
   */
  readonly last: number | null;
}

// --- stores under suspicion ------------------------------------------------------------------

/**
 * A starting store shows its history. acceptor → everybody, before it serves. A proposer needs
 * none:
 * its store keeps a round, and a ballot's nonce is new at each start.
 */
export interface Hello {
  readonly type: "hello";
  /** The latest incarnations and the write number each began at, oldest first; at most 32. */
  readonly openings: readonly { readonly incarnation: number; readonly writeNumber: number }[];
}

/** A witness against a store. anybody → the role that said hello; it halts. */
export interface Objection {
  readonly type: "objection";
  readonly reason: "older_copy" | "name_in_use";
  /** What the witness saw. */
  readonly incarnation: number;
  readonly writeNumber: number;
}

/** Every message, told apart by `type`: the verb of its subject and the event of its receiver. */
export type Message =
  | KeyPrepare
  | KeyPromise
  | KeyAccept
  | KeyAccepted
  | KeyNack
  | KeyChosen
  | Decide
  | Prepare
  | Promise1b
  | Accept
  | Accepted
  | Nack
  | Chosen
  | Beacon
  | Basis
  | AskBasis
  | Repair
  | Votes
  | Entries
  | Hint
  | AskLeader
  | LastHeard
  | Propose
  | Follow
  | Outcomes
  | OpenSession
  | SessionOpened
  | ClientRequests
  | Results
  | EndSession
  | Refused
  | Hello
  | Objection;

/** A verb: the `type` of a message. */
export type Verb = Message["type"];

/** The message of a verb. */
export type MessageOf<V extends Verb> = Extract<Message, { readonly type: V }>;

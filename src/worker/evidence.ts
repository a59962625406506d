/**
 * Evidence: what the roles of one process know of a chosen value, for `prove`. Learners know which
 * value is at a position and what ballots rest on, a proposer what its own ballot rests on, an
 * acceptor's store the votes.
 *
 * Why a control question, not messages between roles: nobody but the asker needs the answer, and
 * what an acceptor has on disk is best read from its disk.
 */
import type { AcceptorContext } from "../../actors/acceptor/context.js";
import type { LearnerContext } from "../../actors/learner/context.js";
import type { ProposerContext } from "../../actors/proposer/context.js";
import type { Runner } from "../kernel/runner.js";
import { StoreRefused } from "../kernel/store/refusal.js";
import type { Store } from "../kernel/store/store.js";
import { formatBallot } from "../paxos/ballot.js";
import { digest } from "../paxos/digest.js";
import type { Basis } from "../paxos/wire/messages.js";

/** What is asked: what stands at a position, or what is known of a slot. */
export type ProofQuestion = { readonly position: number } | { readonly slot: number };

/** A vote without its value; ballots as text. */
export interface BareVote {
  readonly ballot: string;
  readonly digest: string;
}

/** What one role knows. */
export type RoleEvidence =
  | {
      /** A learner's answer to a position. */
      readonly role: "learner";
      readonly id: string;
      /** The first and last position that it knows. */
      readonly first: number;
      readonly tail: number;
      readonly entry:
        | (BareVote & {
            readonly slot: number;
            readonly syncedBy: readonly string[];
            readonly type: string;
            /** In base64. */
            readonly body: string;
          })
        | null;
    }
  | {
      /** A learner's, or a proposer's, answer to a slot. */
      readonly role: "learner" | "proposer";
      readonly id: string;
      readonly bases: readonly {
        readonly ballot: string;
        readonly start: number;
        readonly cutAt: number | null;
        readonly promises: readonly {
          readonly acceptor: string;
          readonly incarnation: number;
          readonly answer: number;
          readonly vote: BareVote | null;
        }[];
      }[];
    }
  | {
      /** An acceptor's answer to a slot: what is on its disk. */
      readonly role: "acceptor";
      readonly id: string;
      readonly incarnation: number;
      readonly writeNumber: number;
      readonly promised: string | null;
      readonly trimmed: number;
      readonly vote: BareVote | null;
    }
  | { readonly role: string; readonly id: string };

/** What one process answers to `prove`. */
export interface ProcessEvidence {
  readonly process: string;
  readonly pid: number;
  readonly roles: readonly RoleEvidence[];
}

/** Reads a question; undefined if it is none. */
export function readProofQuestion(body: Uint8Array): ProofQuestion | undefined {
  try {
    const { position, slot } = JSON.parse(new TextDecoder().decode(body)) as {
      position?: unknown;
      slot?: unknown;
    };
    if (Number.isSafeInteger(slot) && (slot as number) >= 0) return { slot: slot as number };
    if (Number.isSafeInteger(position)) return { position: position as number };
  } catch {
    // It is none.
  }
  return undefined;
}

/** Says what a role knows; a halted one says nothing. */
export function evidenceOf(runner: Runner, question: ProofQuestion | undefined): RoleEvidence {
  const { id, store, halted } = runner;
  const role = runner.definition.name;
  const context: unknown = runner.snapshots().get("")?.context;
  if (question === undefined || halted !== null || context === undefined) return { role, id };
  if ("position" in question) {
    return role === "learner"
      ? entryAt(id, context as LearnerContext, question.position)
      : { role, id };
  }
  const { slot } = question;
  if (role === "acceptor" && store !== null) {
    try {
      return storedVote(id, store, slot, (context as AcceptorContext).data.trimmed);
    } catch (error) {
      // It is corrupt: the role will see that for itself, and halt.
      if (error instanceof StoreRefused) return { role, id };
      throw error;
    }
  }
  if (role === "learner") {
    const { bases } = (context as LearnerContext).data;
    return { role, id, bases: [...bases.values()].map((basis) => project(basis, slot)) };
  }
  if (role === "proposer") {
    const { basis } = (context as ProposerContext).data;
    return { role, id, bases: basis === null ? [] : [project(basis, slot)] };
  }
  return { role, id };
}

function entryAt(id: string, { data }: LearnerContext, position: number): RoleEvidence {
  const base = {
    role: "learner" as const,
    id,
    first: data.kept.firstPosition,
    tail: data.log.position,
  };
  const entry = data.kept.entryAt(position);
  const chosen = entry === undefined ? undefined : data.kept.chosenAt(entry.slot);
  if (entry === undefined || chosen === undefined) return { ...base, entry: null };
  const { slot, syncedBy, type, body } = entry;
  return {
    ...base,
    entry: {
      ...{ slot, ballot: formatBallot(entry.ballot), digest: digest(chosen.value), syncedBy },
      ...{ type, body: Buffer.from(body).toString("base64") },
    },
  };
}

function storedVote(id: string, store: Store, slot: number, trimmed: number): RoleEvidence {
  const { incarnation, writeNumber } = store.meta;
  const [vote] = store.readVotes(slot, slot + 1, 1).votes;
  const promised = store.readPromise();
  return {
    ...{ role: "acceptor", id, incarnation, writeNumber },
    promised: promised === null ? null : formatBallot(promised),
    trimmed,
    vote: vote === undefined ? null : { ballot: formatBallot(vote.ballot), digest: vote.digest },
  };
}

/** What a basis says of one slot. */
function project({ ballot, start, cutAt, promises }: Basis, slot: number) {
  return {
    ...{ ballot: formatBallot(ballot), start, cutAt },
    promises: promises.map(({ acceptor, incarnation, answer, votes }) => {
      const vote = votes.find((one) => one.slot === slot);
      const told = vote && { ballot: formatBallot(vote.ballot), digest: vote.digest };
      return { acceptor, incarnation, answer, vote: told ?? null };
    }),
  };
}

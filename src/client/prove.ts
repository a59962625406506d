/** `prove` from the library: gathers what every process knows of a position into one chain. */
import { type Ballot, formatBallot } from "../paxos/ballot.js";
import type { Cluster } from "../paxos/cluster.js";
import type { BallotValue } from "../paxos/proof/evidence.js";
import {
  type HeldBasis,
  type HeldPromise,
  type Learned,
  type Proof,
  prove,
  type StoredVote,
} from "../paxos/proof/proof.js";
import { rolesOf } from "./control.js";
import { parseBallot, readType } from "./entries.js";
import { TrimmedError, UnavailableError } from "./errors.js";
import type { TypedBody } from "./values.js";

/** The chain of a position, its value undecoded. */
export interface RawProof extends Proof, TypedBody {
  readonly position: number;
}

type Answers = readonly Record<string, unknown>[];

/**
 * Proves a position.
 *
 * @param ask asks all processes; what answers is read with suspicion
 * @returns null if no learner that answers knows a value there: it is not chosen yet
 * @throws UnavailableError if no learner answers
 * @throws TrimmedError if none keeps that position any more
 */
export async function provePosition(
  position: number,
  cluster: Cluster,
  ask: (question: object) => Promise<Answers>,
): Promise<RawProof | null> {
  const words = (await ask({ position })).flatMap(rolesOf).flatMap((role) => wordOf(role) ?? []);
  const known = words.flatMap(({ entry }) => entry ?? []);
  const first = known[0];
  if (first === undefined) {
    if (words.length === 0) {
      throw new UnavailableError(`no learner of cluster ${cluster.name} answers: is one running?`);
    }
    if (words.every((word) => word.tail < position)) return null;
    const from = Math.min(...words.map((word) => word.first));
    throw new TrimmedError(`positions below ${from} are not kept any more`, from);
  }
  const { slot } = first;
  const roles = (await ask({ slot })).flatMap(rolesOf);
  const proof = prove(
    {
      slot,
      learned: inOrder(
        known.filter((entry) => entry.slot === slot).map(learnedOf),
        ({ learner }) => learner,
      ),
      stored: uniqueBy(roles.flatMap((role) => storedOf(role) ?? [])),
      bases: inOrder(roles.flatMap(basesOf), ({ keptBy }) => keptBy),
    },
    cluster,
  );
  return { ...proof, position, type: first.type, body: first.body };
}

function learnedOf({ learner, ballot, digest, syncedBy }: Learned): Learned {
  return { learner, ballot, digest, syncedBy };
}

/** Processes answer in any order. */
function inOrder<T>(all: readonly T[], nameOf: (one: T) => string): readonly T[] {
  return [...all].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

/** One answer an acceptor, though two processes may answer under its name: the later life. */
function uniqueBy(stored: readonly StoredVote[]): readonly StoredVote[] {
  const last = new Map<string, StoredVote>();
  for (const one of stored) {
    const known = last.get(one.acceptor);
    if (known === undefined || one.incarnation > known.incarnation) last.set(one.acceptor, one);
  }
  return [...last.values()];
}

interface Word {
  readonly first: number;
  readonly tail: number;
  readonly entry: (Learned & TypedBody & { readonly slot: number }) | null;
}

type Fields = Readonly<Record<string, unknown>>;

function wordOf(role: Fields): Word | undefined {
  const { id, first, tail, entry } = role;
  if (role["role"] !== "learner" || !isText(id) || !isWhole(first) || !isWhole(tail)) {
    return undefined;
  }
  if (!isObject(entry)) return { first, tail, entry: null };
  const { slot, syncedBy, body } = entry;
  const vote = voteOf(entry);
  const type = readType(entry["type"]);
  if (vote === null || type === undefined || !isWhole(slot) || !areTexts(syncedBy))
    return undefined;
  if (!isText(body)) return undefined;
  const bytes = new Uint8Array(Buffer.from(body, "base64"));
  return { first, tail, entry: { ...vote, learner: id, slot, syncedBy, type, body: bytes } };
}

function storedOf(role: Fields): StoredVote | undefined {
  const { id, incarnation, writeNumber, promised, trimmed, vote } = role;
  if (role["role"] !== "acceptor" || !isText(id) || !isWhole(trimmed)) return undefined;
  if (!isWhole(incarnation) || !isWhole(writeNumber)) return undefined;
  const held = { incarnation, writeNumber, promised: ballotOf(promised), trimmed };
  return { acceptor: id, ...held, vote: voteOf(vote) };
}

function basesOf(role: Fields): HeldBasis[] {
  const { id, bases } = role;
  if (!isText(id) || !Array.isArray(bases)) return [];
  return (bases as unknown[]).flatMap((one) => {
    if (!isObject(one) || !Array.isArray(one["promises"])) return [];
    const { start, cutAt } = one;
    const ballot = ballotOf(one["ballot"]);
    if (ballot === null || !isWhole(start) || (cutAt !== null && !isWhole(cutAt))) return [];
    const told = (one["promises"] as unknown[]).flatMap((promise) => promiseOf(promise) ?? []);
    const promises = inOrder(told, ({ acceptor }) => acceptor);
    return [{ ballot, keptBy: `${String(role["role"])} ${id}`, start, cutAt, promises }];
  });
}

function promiseOf(promise: unknown): HeldPromise | undefined {
  if (!isObject(promise)) return undefined;
  const { acceptor, incarnation, answer, vote } = promise;
  if (!isText(acceptor) || !isWhole(incarnation) || !isWhole(answer)) return undefined;
  return { acceptor, incarnation, answer, vote: voteOf(vote) };
}

function voteOf(vote: unknown): BallotValue | null {
  if (!isObject(vote)) return null;
  const ballot = ballotOf(vote["ballot"]);
  const { digest } = vote;
  return ballot === null || !isText(digest) ? null : { ballot, digest };
}

function ballotOf(text: unknown): Ballot | null {
  return (isText(text) ? parseBallot(text) : undefined) ?? null;
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function areTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText);
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** A proof as plain data, for `--json`: ballots as text, no value. */
export function plainProof({ position, slot, ballot, digest, ...rest }: RawProof): Fields {
  const { learned, votes, votesFrom, basis, highest, missing, contradictions } = rest;
  return {
    ...{ position, slot, ballot: formatBallot(ballot), digest },
    learned: learned.map(({ learner, syncedBy, ...of }) => ({
      learner,
      ...plainVote(of),
      syncedBy,
    })),
    votesFrom,
    votes: votes.map(({ acceptor, standing, stored }) => ({
      acceptor,
      standing,
      vote: plainVote(stored?.vote ?? null),
      promised: stored?.promised ? formatBallot(stored.promised) : null,
      incarnation: stored?.incarnation ?? null,
      writeNumber: stored?.writeNumber ?? null,
    })),
    promises:
      basis?.promises.map(({ acceptor, incarnation, answer, vote }) => {
        return { acceptor, incarnation, answer, vote: plainVote(vote) };
      }) ?? null,
    keptBy: basis?.keptBy ?? null,
    highest: plainVote(highest),
    missing,
    contradictions,
  };
}

function plainVote(vote: BallotValue | null) {
  return vote === null ? null : { ballot: formatBallot(vote.ballot), digest: vote.digest };
}

/**
 * Quorum systems: which sets of acceptors are enough.
 *
 * Paper: PMS §2.2 "any two majorities have at least one acceptor in common". All that safety needs
 * is that every phase-1 quorum meets every phase-2 quorum (Flexible Paxos, Howard et al. 2016), so
 * a quorum system is a value with two questions and one proof obligation.
 */

/**
 * - `majority`: more than half, in both phases;
 * - `flexible`: any `phase1` acceptors promise, any `phase2` acceptors vote;
 * - `grid`: phase 1 is one whole row, phase 2 is one acceptor of every row.
 */
export type QuorumSystem =
  | { readonly kind: "majority" }
  | { readonly kind: "flexible"; readonly phase1: number; readonly phase2: number }
  | { readonly kind: "grid"; readonly rows: readonly (readonly string[])[] };

type Phase = 1 | 2;

function quorumSize(system: QuorumSystem, phase: Phase, members: number): number {
  if (system.kind === "flexible") return phase === 1 ? system.phase1 : system.phase2;
  return Math.floor(members / 2) + 1;
}

function countMembers(acceptors: readonly string[], present: ReadonlySet<string>): number {
  let count = 0;
  for (const acceptor of acceptors) if (present.has(acceptor)) count++;
  return count;
}

/**
 * Says whether these acceptors form a phase-1 quorum: enough promises to lead a ballot.
 *
 * @param acceptors every acceptor of the cluster; ids outside it never count
 * @param present   those that answered
 */
export function isPhase1Quorum(
  system: QuorumSystem,
  acceptors: readonly string[],
  present: ReadonlySet<string>,
): boolean {
  if (system.kind === "grid") {
    return system.rows.some((row) => row.every((acceptor) => present.has(acceptor)));
  }
  return countMembers(acceptors, present) >= quorumSize(system, 1, acceptors.length);
}

/** Says whether these acceptors form a phase-2 quorum: enough votes for a value to be chosen. */
export function isPhase2Quorum(
  system: QuorumSystem,
  acceptors: readonly string[],
  present: ReadonlySet<string>,
): boolean {
  if (system.kind === "grid") {
    return system.rows.every((row) => row.some((acceptor) => present.has(acceptor)));
  }
  return countMembers(acceptors, present) >= quorumSize(system, 2, acceptors.length);
}

/** How far a quorum has come. */
export interface QuorumStanding {
  /** Acceptors whose answers would bring it on, in the order of the descriptor. */
  readonly from: readonly string[];
  /** Of `need`: acceptors, or for phase 2 of a grid its rows that have one. */
  readonly have: number;
  readonly need: number;
}

/**
 * Says how far a quorum has come, for whoever waits for it: it is one exactly if have ≥ need.
 *
 * Of the rows of a grid, phase 1 is told of the one that lacks least.
 */
export function quorumStanding(
  system: QuorumSystem,
  acceptors: readonly string[],
  phase: Phase,
  present: ReadonlySet<string>,
): QuorumStanding {
  const absent = (ids: readonly string[]) => ids.filter((id) => !present.has(id));
  if (system.kind !== "grid") {
    const have = countMembers(acceptors, present);
    return { from: absent(acceptors), have, need: quorumSize(system, phase, acceptors.length) };
  }
  if (phase === 1) {
    const rows = [...system.rows].sort((a, b) => absent(a).length - absent(b).length);
    const row = rows[0] ?? [];
    const from = absent(row);
    return { from, have: row.length - from.length, need: row.length };
  }
  const empty = system.rows.filter((row) => absent(row).length === row.length);
  const from = acceptors.filter((id) => empty.some((row) => row.includes(id)));
  return { from, have: system.rows.length - empty.length, need: system.rows.length };
}

/**
 * Looks for what would make the system unsafe: a phase-1 and a phase-2 quorum without a common
 * acceptor.
 *
 * @returns the two disjoint quorums, or null if every pair meets
 */
export function findDisjointQuorums(
  system: QuorumSystem,
  acceptors: readonly string[],
): { readonly phase1: readonly string[]; readonly phase2: readonly string[] } | null {
  if (system.kind === "grid") return null; // a whole row holds one acceptor of every transversal
  const size1 = quorumSize(system, 1, acceptors.length);
  const size2 = quorumSize(system, 2, acceptors.length);
  if (size1 + size2 > acceptors.length) return null;
  return { phase1: acceptors.slice(0, size1), phase2: acceptors.slice(size1, size1 + size2) };
}

/**
 * Says what is wrong with a quorum system for these acceptors.
 *
 * @returns one sentence a problem, each with what to do; empty if the system is sound
 */
export function quorumProblems(system: QuorumSystem, acceptors: readonly string[]): string[] {
  const problems = system.kind === "grid" ? gridProblems(system.rows, acceptors) : [];
  if (system.kind === "flexible") {
    for (const [name, size] of [
      ["phase1", system.phase1],
      ["phase2", system.phase2],
    ] as const) {
      if (!Number.isInteger(size) || size < 1 || size > acceptors.length) {
        problems.push(`${name} must be a whole number from 1 to ${acceptors.length}, not ${size}`);
      }
    }
  }
  if (problems.length > 0) return problems;
  const disjoint = findDisjointQuorums(system, acceptors);
  if (disjoint !== null) {
    problems.push(
      `the quorums {${disjoint.phase1.join(", ")}} (phase 1) and {${disjoint.phase2.join(", ")}} ` +
        "(phase 2) have no acceptor in common, so two values could be chosen: " +
        `make phase1 + phase2 greater than ${acceptors.length}`,
    );
  }
  return problems;
}

function gridProblems(
  rows: readonly (readonly string[])[],
  acceptors: readonly string[],
): string[] {
  const problems: string[] = [];
  const placed = rows.flat();
  if (rows.length === 0 || rows.some((row) => row.length === 0)) {
    problems.push("a grid needs at least one row, and every row at least one acceptor");
  }
  for (const acceptor of acceptors) {
    const times = placed.filter((id) => id === acceptor).length;
    if (times !== 1) {
      problems.push(`acceptor ${acceptor} stands ${times} times in the grid: name it exactly once`);
    }
  }
  for (const id of placed) {
    if (!acceptors.includes(id)) problems.push(`the grid names ${id}, which is not an acceptor`);
  }
  return problems;
}

/** Draws a quorum system in a few words, for messages and receipts. */
export function describeQuorums(system: QuorumSystem, acceptors: readonly string[]): string {
  if (system.kind === "grid") {
    const rows = system.rows.map((row) => `{${row.join(" ")}}`).join(" ");
    return `grid ${rows}: phase 1 a whole row, phase 2 one of every row`;
  }
  const size1 = quorumSize(system, 1, acceptors.length);
  const size2 = quorumSize(system, 2, acceptors.length);
  return `${system.kind} of ${acceptors.length}: phase 1 ${size1}, phase 2 ${size2}`;
}

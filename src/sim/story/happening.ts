/** Happenings: what a run was, told in the paper's words; the raw material of every report. */

/** What a happening is about; null if it is about nothing that is decided. */
export interface About {
  /** A single-decree key; null for the log. */
  readonly key: string | null;
  /** Slots from ≤ slot < to of the log; phase 1 of a ballot covers every slot from its first on. */
  readonly from: number;
  readonly to: number;
  /** Ballots it names, as the story shows them. */
  readonly ballots: readonly string[];
  readonly isPhase1: boolean;
}

/**
 * - `message`: somebody says something to somebody;
 * - `disk`: something is on stable storage now, or is not;
 * - `life`: a role starts, dies, halts, changes what it does;
 * - `fact`: something is chosen, or learned;
 * - `client`: a client asks, or is told;
 * - `fault`: the world does something to a run.
 */
export type HappeningKind = "message" | "disk" | "life" | "fact" | "client" | "fault";

/** One thing that happened. */
export interface Happening {
  /** Milliseconds of the world. */
  readonly atMs: number;
  readonly kind: HappeningKind;
  /** Short name of who did it; "" for the world. */
  readonly who: string;
  /** Whom a message reaches; empty for everything else. */
  to: string[];
  /** Whom it does not reach. */
  lost: string[];
  /** Whom it reaches more than once, and whom it reaches late: `a3 in 700 ms`. */
  twice: string[];
  late: string[];
  text: string;
  about: About | null;
  /** Heartbeats, repeats of what was said, and what says nothing of a decision. */
  isNoise: boolean;
}

/** Makes a happening that is no message, or that nobody has heard yet. */
export function happening(
  kind: HappeningKind,
  who: string,
  text: string,
  about: About | null = null,
  isNoise = false,
): Omit<Happening, "atMs"> {
  const line = text.replace(/\p{Cc}/gu, " ");
  return { kind, who, to: [], lost: [], twice: [], late: [], text: line, about, isNoise };
}

/** Names slots: `slot 4`, `slots 4 to 6`. */
export function slotsText(from: number, to: number): string {
  return to - from <= 1 ? `slot ${from}` : `slots ${from} to ${to - 1}`;
}

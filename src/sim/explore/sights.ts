/**
 * Sights: what must be seen somewhere, so that "nothing was found" cannot mean "nothing happened".
 */
/** Every sight, by name, with what it is. */
export const SIGHTS = {
  "value-chosen": "a value is chosen",
  "chosen-twice": "a value is chosen at two ballots",
  "adopted-chosen": "a value is chosen at the ballot of a proposer that did not wish for it",
  "vote-adopted": "a proposer takes over the value of a vote that a promise reported",
  preempted: "a refusal ends a proposer's ballot",
  "duel-in-phase-2": "two proposers are in phase 2 with different ballots",
  "duplicate-delivered": "an acceptor hears a request that it had granted already",
  "late-answer": "a proposer hears an answer to an earlier ballot of its own",
  "sync-lost": "a crash loses a write that was not synced",
  "crash-after-reload": "an acceptor crashes that read its memory again after a full disk",
  "proposer-restarted": "a proposer crashes and starts anew",
  "hole-filled": "a new leader fills a hole with a no-op",
  "later-slots-asked": "a prepare asks from a later slot than the first",
  "leader-deposed": "a leader's beacon ends another's work",
  "learner-learned": "a learner learns a value",
  "promise-begun-again": "a part of a later answer of an acceptor takes the place of earlier parts",
  "wrong-watermark": "a proposer hears a promise whose watermark was changed on its way",
} as const;

/** A name of {@link SIGHTS}. */
export type SightName = keyof typeof SIGHTS;

const NAMES = Object.keys(SIGHTS) as readonly SightName[];

/** The bit of a sight. */
export function bit(name: SightName): number {
  return 1 << NAMES.indexOf(name);
}

/** The names of bits. */
export function namesOf(bits: number): SightName[] {
  return NAMES.filter((name) => (bits & bit(name)) !== 0);
}

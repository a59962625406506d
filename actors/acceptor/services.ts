/** What only an acceptor needs: to send votes that are on its disk and no more in its memory. */
import type { Address, Effect } from "../../src/kernel/effect.js";
import type { Services, ServiceTools } from "../../src/kernel/role.js";

const READ_VOTES = "read-votes";

/** Votes of from ≤ slot < below, to be sent to `to`. */
export interface VotesWanted {
  readonly to: Address;
  readonly from: number;
  readonly below: number;
  /** Every slot below is chosen and its vote forgotten. */
  readonly trimmed: number;
  readonly bytesMax: number;
}

/** Reads votes from the store and sends them. */
export const readVotes = (wanted: VotesWanted): Effect => ({
  kind: "service",
  name: READ_VOTES,
  request: wanted,
});

/** Returns which votes an effect wants read; null for any other effect. */
export function votesWantedBy(effect: Effect): VotesWanted | null {
  if (effect.kind !== "service" || effect.name !== READ_VOTES) return null;
  return effect.request as VotesWanted;
}

/** The services of one acceptor. */
export function acceptorServices({ store, send, answers }: ServiceTools): Services {
  const carryOut = ({ to: asker, from, below, trimmed, bytesMax }: VotesWanted) => {
    if (store === null) return;
    try {
      const { votes, to } = store.readVotes(from, below, bytesMax);
      send(asker, { type: "votes", from, to, trimmed, votes });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const failed = { type: "disk.failed", reason };
      answers()(failed);
    }
  };
  return { byName: { [READ_VOTES]: carryOut } };
}

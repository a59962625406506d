import { MemoryFile, type MemoryFileOptions } from "../../src/adapters/memory/disk.js";
import type { DiskError } from "../../src/kernel/ports.js";
import type { StoreIdentity } from "../../src/kernel/store/refusal.js";
import { StoreRefused } from "../../src/kernel/store/refusal.js";
import { formatStore, openStore, type Store } from "../../src/kernel/store/store.js";
import { digest } from "../../src/paxos/digest.js";
import type { StoreRecord } from "../../src/paxos/wire/record.js";

type VoteRecord = Extract<StoreRecord, { kind: "vote" }>;

/** Whose the stores of these tests are. */
export const identity: StoreIdentity = {
  clusterId: "0123456789abcdef0123456789abcdef",
  clusterName: "demo",
  role: "acceptor",
  id: "a1",
  storeId: "00112233445566778899aabbccddeeff",
  epoch: 1,
  configurationHash: "ffeeddccbbaa99887766554433221100",
  windowMax: 4,
};

/** A promise of a round. */
export function promiseOf(round: number): StoreRecord {
  return { kind: "promise", ballot: { round, owner: "p1.0123456789abcdef" } };
}

/** A vote in a slot; another round is another value. */
export function voteOf(slot: number, round = 1): VoteRecord {
  const value = new TextEncoder().encode(`value ${round} of slot ${slot}`);
  const ballot = { round, owner: "p1.0123456789abcdef" };
  return { kind: "vote", slot, ballot, digest: digest(value), value };
}

/** Makes a formatted memory file. */
export function formatted(name: string, options: MemoryFileOptions = {}): MemoryFile {
  const file = new MemoryFile(name, options);
  let done = false;
  formatStore(file.open(), identity, "data", (refused) => {
    if (refused !== null) throw refused;
    done = true;
  });
  if (!done) throw new Error("the format did not finish at once");
  return file;
}

function attempt(file: MemoryFile, as: StoreIdentity): Store | StoreRefused {
  let result: Store | StoreRefused | undefined;
  openStore(file.open(), as, "data", (opened) => {
    result = opened;
  });
  if (result === undefined) throw new Error("the store did not open at once");
  return result;
}

/** Opens a store on a file whose commits finish at once. */
export function open(file: MemoryFile, as = identity): Store {
  const result = attempt(file, as);
  if (result instanceof StoreRefused) throw result;
  return result;
}

/** Opens a store that must be refused. */
export function refusalOf(file: MemoryFile, as = identity): StoreRefused {
  const result = attempt(file, as);
  if (result instanceof StoreRefused) return result;
  throw new Error("the store was opened");
}

/** Commits to a store whose commits finish at once. */
export function commitNow(
  store: Store,
  records: readonly StoreRecord[],
  trimBelow?: number,
): DiskError | null {
  let result: DiskError | null | undefined;
  store.commit({ records, trimBelow }, (error) => {
    result = error;
  });
  if (result === undefined) throw new Error("the commit did not finish at once");
  return result;
}

/** The slots that have a durable vote. */
export function slotsIn(store: Store): number[] {
  return store.readVotes(0, 2 ** 40, 2 ** 30).votes.map(({ slot }) => slot);
}

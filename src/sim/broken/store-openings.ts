/** Stores that come back with less than they held, and are let in. */
import type { Disk } from "../../kernel/ports.js";
import { openStore, type Store } from "../../kernel/store/store.js";
import { xor } from "../../kernel/store/survey.js";
import {
  decodeMeta,
  decodeRecord,
  encodeMeta,
  isVoteKey,
  META_KEY,
  recordSum,
} from "../../paxos/wire/record.js";
import type { Broken } from "./broken.js";
import { anAcceptor, logScene } from "./scenes.js";

type Open = typeof openStore;

/** Opens what is corrupt a second time, after a look at what can still be read. */
const openWhatIsLeft: Open = (disk, identity, folder, done) =>
  openStore(disk, identity, folder, (result) => {
    const isCorrupt = result instanceof Error && result.code === "corrupt";
    if (!isCorrupt) done(result);
    else dropUnreadable(disk, () => openStore(disk, identity, folder, done));
  });

/** Removes every record that cannot be read, and makes the count of votes fit. */
function dropUnreadable(disk: Disk, done: () => void): void {
  const bytes = disk.get(META_KEY)?.slice();
  const removes: Uint8Array[] = [];
  let votes = 0;
  let votesSum: readonly [number, number] = [0, 0];
  disk.scan(Uint8Array.of(0, 0), null, (key, raw) => {
    if (!isReadable(() => decodeRecord({ key, bytes: raw }))) removes.push(key.slice());
    else if (isVoteKey(key)) {
      votes++;
      votesSum = xor(votesSum, recordSum(raw));
    }
    return true;
  });
  if (bytes === undefined || !isReadable(() => decodeMeta(bytes))) {
    done();
    return;
  }
  const meta = encodeMeta({ ...decodeMeta(bytes), votes, votesSum });
  const expect = { key: META_KEY, bytes };
  disk.commit({ expect, puts: [{ key: META_KEY, bytes: meta }], removes }, done);
}

function isReadable(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch {
    return false;
  }
}

export const corruptTakenAsMissing: Broken = {
  name: "corrupt-taken-as-missing",
  what: "a record that cannot be read counts as one that was never written",
  ports: { openStore: openWhatIsLeft },
  hunt: {
    plan: logScene({
      fault: (random) => {
        const pick = random.integer(1_000_000);
        return { kind: "rot", acceptor: anAcceptor(random), pick, downMs: 1 };
      },
      faults: 2,
    }),
    seedsMax: 10,
    catches: ["nothingForgotten"],
  },
};

/** Reads its votes when it starts, and not when it must read again. */
const openForgetful: Open = (disk, identity, folder, done) =>
  openStore(disk, identity, folder, (result) => {
    if (!(result instanceof Error)) forgetAtReload(result);
    done(result);
  });

function forgetAtReload(store: Store): void {
  const reload = store.reload.bind(store);
  store.reload = () => reload().filter(({ kind }) => kind !== "vote");
}

export const voteForgottenAtReload: Broken = {
  name: "vote-forgotten-at-reload",
  what: "an acceptor whose disk was full reads its promise again, but not its votes",
  ports: { openStore: openForgetful },
  hunt: {
    // The leader dies before it says what is chosen; the votes that were forgotten are needed.
    plan: logScene({
      setup: { limits: { batchCommandsMax: 1, pipelineSlotsMax: 16 } },
      weather: { loss: 0.1 },
      fault: (random) => [
        [0, { kind: "fullDisk", store: `acceptor ${anAcceptor(random)}`, forMs: 30 }],
        [1 + random.integer(20), { kind: "behead", forMs: 5, downMs: 200 }],
      ],
      faults: 4,
      requests: 120,
      syncMs: 10,
    }),
    seedsMax: 10,
    catches: ["promiseReportsVotes", "phase2a", "P2b", "P2c"],
  },
};

/** Disks that answer a write when the memory that asked for it is gone. */
import { openStore, type StoreBatch } from "../../kernel/store/store.js";
import type { Coverage } from "../world/coverage.js";
import type { Memory, Origins } from "./origins.js";

/**
 * Counts such answers of every store that is opened. Which memory asked for a write is known from
 * the records themselves, which one of its steps made.
 *
 * @param open opens a store, the real thing if left out
 */
export function countLateAnswers(
  origins: Origins,
  coverage: Coverage,
  open: typeof openStore = openStore,
): typeof openStore {
  const writers = new WeakSet<Memory>();
  const memoryOf = ({ records: [record] }: StoreBatch) =>
    record === undefined ? undefined : origins.makerOf(record);
  const answered = (memory: Memory) => {
    const present = origins.memoryOf(memory.runner);
    if (present === undefined || present === memory) return;
    coverage.count("syncs that end after a reload");
    // Only a memory that has writes under way can take the answer for one of them.
    if (writers.has(present)) coverage.count("syncs that end after a reload and a later write");
  };
  return (disk, identity, folder, done) =>
    open(disk, identity, folder, (opened) => {
      if (!(opened instanceof Error)) {
        const commit = opened.commit.bind(opened);
        opened.commit = (batch, told) => {
          const memory = memoryOf(batch);
          if (memory !== undefined) writers.add(memory);
          commit(batch, (error) => {
            if (memory !== undefined) answered(memory);
            told(error);
          });
        };
      }
      done(opened);
    });
}

import type { NatsConnection } from "nats";
import type { Dial } from "./dial.js";

/** How a race of dials is run; an attempt is named by its index. */
export interface RaceOptions {
  /** Starts an attempt. */
  readonly start: (index: number) => Dial;
  readonly count: number;
  /** Milliseconds until the next attempt starts beside one that has not ended. */
  readonly headStartMs: number;
  /** Called for each attempt that failed by itself. */
  readonly failed: (index: number, error: unknown) => void;
  /** Called for each that a later one overtook, and each open one if the race is given up. */
  readonly overtaken: (index: number) => void;
}

/**
 * Dials several servers: the next when one fails, or after a head start; the first wins.
 *
 * @returns a dial whose connection is rejected when all attempts failed, or it was aborted
 */
export function race({ start, count, headStartMs, failed, overtaken }: RaceOptions): Dial {
  const open = new Map<number, Dial>();
  let started = 0;
  let isOver = false;
  let timer: NodeJS.Timeout | undefined;
  let abort = () => {};
  const connection = new Promise<NatsConnection>((resolve, reject) => {
    const end = (winner: number) => {
      isOver = true;
      clearTimeout(timer);
      for (const [index, dial] of open) {
        // One that started after the winner had too little time to say anything of it.
        if (index < winner) overtaken(index);
        dial.abort();
      }
      open.clear();
    };
    abort = () => {
      if (isOver) return;
      end(count);
      reject(new Error("given up"));
    };
    const startNext = () => {
      clearTimeout(timer);
      if (started === count) {
        if (open.size === 0) reject(new Error("every attempt failed"));
        return;
      }
      const index = started;
      started += 1;
      const dial = start(index);
      open.set(index, dial);
      timer = setTimeout(startNext, headStartMs);
      dial.connection.then(
        (made) => {
          if (isOver) {
            void made.close();
            return;
          }
          open.delete(index);
          end(index);
          resolve(made);
        },
        (error: unknown) => {
          if (isOver) return;
          open.delete(index);
          failed(index, error);
          startNext();
        },
      );
    };
    startNext();
  });
  return { connection, abort: () => abort() };
}

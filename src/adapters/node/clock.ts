import { randomBytes, randomFillSync } from "node:crypto";
import type { Clock, Random } from "../../kernel/ports.js";

/** The longest delay a Node timer takes, in milliseconds; a longer one would fire at once. */
const timerMsMax = 2_147_483_647;

/**
 * Makes the clock of a process.
 *
 * Timers keep the process alive: a client that waits to ask again has nothing else that would.
 * Who stops cancels its own.
 */
export function createClock(): Clock {
  return {
    nowMs: () => performance.now(),
    setTimer,
    // After the sockets that are readable now were read.
    soon: (run) => void setImmediate(run),
    // The NATS client sends what it was given in a microtask that it queued before.
    endOfTurn: (run) => queueMicrotask(run),
  };
}

function setTimer(delayMs: number, fire: () => void): () => void {
  const delay = Math.max(0, delayMs || 0);
  const dueMs = performance.now() + delay;
  // Node cuts delays to whole milliseconds and may be up to one early.
  const wait = (ms: number) => setTimeout(check, Math.min(Math.ceil(ms), timerMsMax));
  const check = () => {
    const leftMs = dueMs - performance.now();
    if (leftMs > 0) {
      timer = wait(leftMs);
    } else {
      fire();
    }
  };
  let timer = wait(delay);
  return () => clearTimeout(timer);
}

const poolBytes = 4_096;
/** Bytes of one number: two words of 32 bits. */
const numberBytes = 8;

/** Makes the randomness of a process: the system's, fit for nonces. */
export function createRandom(): Random {
  const pool = Buffer.alloc(poolBytes);
  let used = poolBytes;
  return {
    next: () => {
      if (used === poolBytes) {
        randomFillSync(pool);
        used = 0;
      }
      // 53 bits, as many as a double holds.
      const high = pool.readUInt32LE(used) >>> 5;
      const low = pool.readUInt32LE(used + 4) >>> 6;
      used += numberBytes;
      return (high * 0x400_0000 + low) / 2 ** 53;
    },
    hex: (count) => randomBytes(count).toString("hex"),
  };
}

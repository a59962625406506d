import type { Incoming } from "../../kernel/ports.js";
import type { MemoryRoute } from "./bus.js";

/** A subscription that outlives connections. */
export interface Listener {
  readonly subject: string;
  readonly queue: string | undefined;
  readonly heard: (message: Incoming) => void;
  /** Undefined while disconnected or denied. */
  route: MemoryRoute | undefined;
  /** How often it was denied on this connection. */
  denials: number;
  /** Cancels the next attempt after a denial. */
  cancelRetry: () => void;
}

/** Milliseconds from a denial to the next attempt, as over NATS but without jitter. */
const retryMsMin = 250;
const retryMsMax = 8_000;

/** How long to leave a denied subscription alone; the next time longer. */
export function pauseAfterDenial(listener: Listener): number {
  const delayMs = Math.min(retryMsMax, retryMsMin * 2 ** listener.denials);
  listener.denials += 1;
  return delayMs;
}

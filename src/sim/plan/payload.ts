/** Worlds in which the server's limit on a message is small, and changes. */
import { createSeededRandom } from "../../adapters/memory/random.js";
import { DEFAULT_LIMITS } from "../../paxos/limits.js";
import { limitsUnder } from "../../paxos/wire/payload.js";
import type { Plan, TimedFault, TimedRequest } from "./plan.js";
import { chance, pick } from "./setup.js";

/** Runs on a server with a small limit on a message. */
const SMALL_RUNS = 0.1;

/**
 * A server takes less than the descriptor asks for, and values are large enough to feel it. Every
 * value passes while nothing is lowered further, and so does every batch, also one that is voted
 * for while the limit is raised: what can never pass again stops a cluster until somebody raises
 * the limit.
 */
export function withPayload(plan: Plan, beginMs: number): Plan {
  const random = createSeededRandom(`payload ${plan.seed}`);
  if (!chance(random, SMALL_RUNS)) return plan;
  const payloadBytesMax = pick(random, [7_000, 9_000, 16_000]);
  const { batchBytesMax } = limitsUnder(DEFAULT_LIMITS, payloadBytesMax);
  const limits = { batchBytesMax, ...plan.setup.limits };
  const lengthMax = pick(random, [300, 1_200, 2_000]);
  const requests = plan.requests.map((timed): TimedRequest => {
    const { request } = timed;
    if (request.value === null || chance(random, 0.3)) return timed;
    const value = `${request.value}-`.padEnd(1 + random.integer(lengthMax), "x");
    return { ...timed, request: { ...request, value } };
  });
  const changes = Array.from({ length: random.integer(4) }, (): TimedFault => {
    const bytesMax = pick(random, [5_000, 6_000, 1_048_576]);
    const fault = { kind: "payload", bytesMax, forMs: pick(random, [50, 300, 1000]) } as const;
    return { atMs: beginMs + random.integer(plan.calmMs - beginMs), fault };
  });
  const faults = [...plan.faults, ...changes].sort((a, b) => a.atMs - b.atMs);
  return { ...plan, setup: { ...plan.setup, payloadBytesMax, limits }, requests, faults };
}

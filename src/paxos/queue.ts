/** The leader's queue: commands that wait for a slot. */
import { digest } from "./digest.js";
import type { Limits } from "./limits.js";
import type { ProposerState } from "./proposer.js";

/**
 * Adds commands to the queue. @returns how many there was no room for; those after it are refused
 * too
 */
export function enqueue(
  state: ProposerState,
  commands: readonly Uint8Array[],
  limits: Limits,
): number {
  for (const [index, command] of commands.entries()) {
    if (state.queueBytes + command.length > limits.queueBytesMax) return commands.length - index;
    state.queue.push(command);
    state.queueBytes += command.length;
  }
  dropCopies(state, limits);
  return 0;
}

/**
 * Drops later copies of commands from a queue that does not fit into the next batch.
 *
 * Why: gateways ask again after a silence, and a leader that is slow would otherwise have little
 * but copies to propose, and be slower still. Why the earlier one stays: what is asked again and
 * again would else never come to the front. Cost: O(queue), each time it has doubled.
 */
function dropCopies(state: ProposerState, limits: Limits): void {
  if (state.queue.length <= Math.max(limits.batchCommandsMax, state.searchAt)) return;
  const seen = new Set<string>();
  state.queue = state.queue.filter((command) => {
    const name = digest(command);
    if (seen.has(name)) state.queueBytes -= command.length;
    return seen.size < seen.add(name).size;
  });
  state.searchAt = 2 * state.queue.length;
}

/** The leader's queue: commands that wait for a slot, each once, and the batches made of them. */
import { invariant } from "../assert.js";
import { commandName } from "../command.js";
import type { Limits } from "../limits.js";
import { encodeBatch } from "../value.js";
import { commandFits } from "../wire/payload.js";
import { openSlot, type ProposerState, windowIsFull } from "./proposer.js";

/** What became of commands that were to wait in the queue. */
export interface Enqueued {
  /** Commands there was no room for; those after it are refused too. */
  readonly refused: number;
  /** Copies of commands that wait already, or stand in a slot that is not chosen so far. */
  readonly copies: number;
}

/**
 * Adds commands to the queue, but for copies of what is queued or proposed already.
 *
 * Why: gateways ask again after a silence. A slow leader would otherwise propose little but copies,
 * and be slower still. The earlier one stays, or a command that is asked again and again would move
 * to the back each time.
 */
export function enqueue(
  state: ProposerState,
  commands: readonly Uint8Array[],
  limits: Limits,
): Enqueued {
  let copies = 0;
  for (let index = 0; index < commands.length; index++) {
    const command = commands[index] as Uint8Array;
    const name = commandName(command);
    if (state.underWay.has(name)) {
      copies++;
      continue;
    }
    if (state.queueBytes + command.length > limits.queueBytesMax) {
      return { refused: commands.length - index, copies };
    }
    state.underWay.add(name);
    state.queue.push({ command, name });
    state.queueBytes += command.length;
  }
  return { refused: 0, copies };
}

/**
 * Opens slots for what waits: larger batches before deeper pipelines.
 *
 * Holds: nextSlot ≤ chosenWatermark + windowMax. Limits: a batch ≤ `batchCommandsMax` commands and
 * ≤ `batchBytesMax` bytes, or a single command.
 *
 * @param limits those of this moment: a batch cannot come apart once it is proposed
 * @returns how many commands were dropped because no `accept` could carry them; the gateways that
 *   hold them hear the leader's limit from its beacon, and refuse them
 */
export function fillWindow(state: ProposerState, limits: Limits, nowMs: number): number {
  let tooLarge = 0;
  while (state.queue.length > 0 && !windowIsFull(state, limits)) {
    if (openCount(state) >= limits.pipelineSlotsMax) break;
    const taken = takeBatch(state, limits);
    tooLarge += taken.tooLarge;
    if (taken.batch.length === 0) continue; // all that was left was too large
    openSlot(state, state.nextSlot, encodeBatch(taken.batch), nowMs, taken.names);
    state.nextSlot++;
    const windowEnd = state.chosenWatermark + limits.windowMax;
    invariant(state.nextSlot <= windowEnd, "a leader proposes at most a window ahead");
  }
  return tooLarge;
}

function takeBatch(
  state: ProposerState,
  limits: Limits,
): { readonly batch: Uint8Array[]; readonly names: number[]; readonly tooLarge: number } {
  const batch: Uint8Array[] = [];
  const names: number[] = [];
  let bytes = 5;
  let tooLarge = 0;
  while (batch.length < limits.batchCommandsMax) {
    const { first } = state.queue;
    if (first === undefined) break;
    const { command, name } = first;
    const fits = commandFits(command, limits);
    if (fits && batch.length > 0 && bytes + command.length + 4 > limits.batchBytesMax) break;
    state.queue.shift();
    state.queueBytes -= command.length;
    if (!fits) {
      state.underWay.delete(name);
      tooLarge++;
      continue;
    }
    batch.push(command);
    names.push(name);
    bytes += command.length + 4;
  }
  return { batch, names, tooLarge };
}

function openCount(state: ProposerState): number {
  let count = 0;
  for (const { chosen } of state.open.values()) if (!chosen) count++;
  return count;
}

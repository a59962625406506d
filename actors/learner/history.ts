/** A learner's answers to `history`. */
import { count, type DoorAnswer, type Effect, type FeedEntry } from "../../src/kernel/effect.js";
import { payloadBytesMaxOf } from "../../src/kernel/role.js";
import { limitsUnder } from "../../src/paxos/wire/payload.js";
import { type HistoryAsk, isCurrent, type LearnerContext } from "./context.js";

/** Most entries of one answer to `history`. */
const HISTORY_ENTRIES_MAX = 4096;
/** A request through the door `history`, as the host brings it. */
export type HistoryEvent = { readonly type: "history"; readonly nowMs: number } & HistoryAsk;

/** Bytes of values in one answer at this moment. */
export function partBytesMax(
  { cluster }: LearnerContext,
  event: { readonly type: string },
): number {
  return limitsUnder(cluster.limits, payloadBytesMaxOf(event)).partBytesMax;
}

/** Answers with the values after a position, as many as fit; one that is current names the end. */
export function historyAnswer(context: LearnerContext, event: HistoryEvent): Effect[] {
  const { data } = context;
  const bytesMax = partBytesMax(context, event);
  const tail = data.log.position;
  const { token } = event;
  const { firstPosition } = data.kept;
  if (event.after + 1 < firstPosition) {
    const answer = {
      kind: "refused" as const,
      code: "trimmed",
      message: `positions below ${firstPosition} are not kept here any more`,
      mayHaveHappened: false,
      firstPosition,
    };
    return [{ kind: "reply", token, answer }];
  }
  const entries: FeedEntry[] = [];
  const most = Math.min(event.max, HISTORY_ENTRIES_MAX);
  let bytes = 0;
  for (let position = event.after + 1; entries.length < most; position++) {
    const entry = data.kept.entryAt(position);
    if (entry === undefined) break;
    bytes += entry.body.length * 1.4 + 200;
    if (entries.length > 0 && bytes > bytesMax) break;
    entries.push(entry);
  }
  const namesEnd = isCurrent(data) && data.chosen.watermark >= event.applied;
  if (entries.length === 0 && !namesEnd) {
    return [count("catching_up"), { kind: "reply", token, answer: catchingUp(tail) }];
  }
  const last = entries[entries.length - 1]?.position ?? Math.min(event.after, tail);
  return [{ kind: "reply", token, answer: { kind: "history", entries, last, tail } }];
}

function catchingUp(position: number): DoorAnswer {
  return {
    kind: "refused",
    code: "overloaded",
    message: `this learner is catching up and has come to position ${position}: ask again`,
    mayHaveHappened: false,
    retryAfterMs: 100,
  };
}

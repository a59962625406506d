/** A learner's answers to `history`. */
import type { Effect, FeedEntry } from "../../src/actor/effect.js";
import { payloadBytesMaxOf } from "../../src/actor/role.js";
import { limitsUnder } from "../../src/paxos/payload.js";
import type { HistoryAsk, LearnerContext } from "./context.js";

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

/** Answers a request for chosen values, as many as fit. */
export function historyAnswer(context: LearnerContext, event: HistoryEvent): Effect {
  const { data } = context;
  const bytesMax = partBytesMax(context, event);
  const tail = data.log.position;
  const { token } = event;
  if (event.after + 1 < data.firstPosition) {
    const answer = {
      kind: "refused" as const,
      code: "trimmed",
      message: `positions below ${data.firstPosition} are not kept here any more`,
      mayHaveHappened: false,
      firstPosition: data.firstPosition,
    };
    return { kind: "reply", token, answer };
  }
  const entries: FeedEntry[] = [];
  const most = Math.min(event.max, HISTORY_ENTRIES_MAX);
  let bytes = 0;
  for (let at = event.after + 1 - data.firstPosition; entries.length < most; at++) {
    const entry = data.history[at];
    if (entry === undefined) break;
    bytes += entry.body.length * 1.4 + 200;
    if (entries.length > 0 && bytes > bytesMax) break;
    entries.push(entry);
  }
  const last = entries[entries.length - 1]?.position ?? Math.min(event.after, tail);
  return { kind: "reply", token, answer: { kind: "history", entries, last, tail } };
}

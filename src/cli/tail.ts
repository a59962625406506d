/** The end of the log as it is now: where `chosen` ends, and `up` begins to print. */
import { doorSubject } from "../kernel/bus/subject.js";
import { EXIT } from "../worker/exit.js";
import type { OpenClient } from "./client.js";
import { Failure } from "./failure.js";

/** Milliseconds for one answer, for a learner that knows the end of the log, and for a leader. */
const answerMsMax = 1000;
const learnerMsMax = 10_000;
const leaderMsMax = 3000;
const lookMs = 50;

/**
 * Asks for the highest position that is known now, of a learner that knows what the leader knows.
 *
 * @throws Failure if no learner can tell
 * @throws SynodError if the server forbids to ask, or the connection is closed for good
 */
export async function askTail(client: OpenClient): Promise<number> {
  const applied = (await askChosenSlot(client, leaderMsMax)) ?? 0;
  const end = { after: Number.MAX_SAFE_INTEGER, applied };
  const tail = (await askHistory(client, end, learnerMsMax))?.tail;
  if (tail !== undefined) return tail;
  const { space, server } = client;
  const message =
    `no learner of cluster ${space.cluster} on ${server} says how long the log is: none runs, or ` +
    "those that run are catching up, or wait for a leader (see synod why)";
  throw new Failure(EXIT.unreached, "unavailable", message);
}

/**
 * Asks the leader up to which slot it knows all to be chosen.
 *
 * @returns undefined if nobody leads in time
 */
export async function askChosenSlot(
  { synod }: OpenClient,
  waitMsMax = leaderMsMax,
): Promise<number | undefined> {
  const startMs = performance.now();
  do {
    const { roles } = await synod.status();
    const leader = roles.find((one) => one.role === "proposer" && one.state.startsWith("leading"));
    const slot = leader?.chosenWatermark;
    if (typeof slot === "number") return slot;
    await pause();
  } while (performance.now() - startMs <= waitMsMax);
  return undefined;
}

/** Returns the last position below a slot. Waits for a learner that has come there. */
export async function positionBelow(client: OpenClient, slot: number): Promise<number> {
  if (slot === 0) return 0;
  const patienceMs = Number.POSITIVE_INFINITY;
  const end = { after: Number.MAX_SAFE_INTEGER, applied: slot };
  let low = 0;
  let high = (await askHistory(client, end, patienceMs))?.tail ?? 0;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const part = await askHistory(client, { after: middle - 1, applied: slot }, patienceMs);
    // Who keeps it no longer says where its memory begins: that is older than what has just come.
    if (part?.firstPosition !== undefined) low = Math.max(low, part.firstPosition - 1);
    else if ((part?.slot ?? slot) < slot) low = middle;
    else high = middle - 1;
    high = Math.max(low, high);
  }
  return low;
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, lookMs));
}

/** A question to a learner: it answers if it has that position, or has applied all below a slot. */
interface HistoryQuestion {
  readonly after: number;
  readonly applied: number;
}

/** What a learner says of one position. */
interface HistoryPart {
  readonly tail?: number | undefined;
  /** The slot of the position asked for, if there is one. */
  readonly slot?: number | undefined;
  /** Set if it does not keep that position any more: the first that it keeps. */
  readonly firstPosition?: number | undefined;
}

/** Asks any learner for the position after `after`, until one can answer. */
async function askHistory(
  client: OpenClient,
  question: HistoryQuestion,
  waitMsMax: number,
): Promise<HistoryPart | undefined> {
  const startMs = performance.now();
  do {
    const part = await askLearner(client, question);
    if (part !== undefined) return part;
    await pause();
  } while (performance.now() - startMs <= waitMsMax);
  return undefined;
}

async function askLearner(
  { asker, space }: OpenClient,
  question: HistoryQuestion,
): Promise<HistoryPart | undefined> {
  const subject = doorSubject(space, "history");
  const max = question.after === Number.MAX_SAFE_INTEGER ? 0 : 1;
  const payload = new TextEncoder().encode(JSON.stringify({ ...question, max }));
  const reply = await asker.ask(subject, payload, answerMsMax);
  if (reply.kind === "failed") throw reply.error;
  return reply.kind === "answer" ? readPart(reply.payload) : undefined;
}

function readPart(payload: Uint8Array): HistoryPart | undefined {
  try {
    const { tail, entries, error } = JSON.parse(new TextDecoder().decode(payload)) as {
      tail?: number;
      entries?: { slot?: number }[];
      error?: { firstPosition?: number };
    };
    const firstPosition = error?.firstPosition;
    if (typeof tail !== "number" && typeof firstPosition !== "number") return undefined;
    return { tail, slot: entries?.[0]?.slot, firstPosition };
  } catch {
    return undefined;
  }
}

/** The end of the log as it is now: where `chosen` ends, and `up` begins to print. */
import { doorSubject } from "../actor/subject.js";
import { EXIT } from "../worker/exit.js";
import type { OpenClient } from "./client.js";
import { Failure } from "./failure.js";

/** Milliseconds for one answer, to wait for a learner at all, and for all to be up to date. */
const answerMsMax = 1000;
const tailMsMax = 10_000;
const settledMsMax = 3000;
const lookMs = 50;

/**
 * Asks for the highest position there is.
 *
 * Waits a while for learners that have just started: until they know what the leader knows.
 *
 * @param waitMsMax how long to wait for a learner at all
 * @throws Failure if no learner answers
 */
export async function askTail(client: OpenClient, waitMsMax = tailMsMax): Promise<number> {
  const startMs = performance.now();
  const isOver = (ms: number) => performance.now() - startMs > ms;
  while (!isOver(settledMsMax) && !(await areUpToDate(client))) await pause();
  while (!isOver(waitMsMax)) {
    const tail = await askLearner(client);
    if (tail !== undefined) return tail;
    await pause();
  }
  const { space, server } = client;
  const message = `no learner of cluster ${space.cluster} answers on ${server}: is one running?`;
  throw new Failure(EXIT.unreached, "unavailable", message);
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, lookMs));
}

/** Says whether there is a leader, and every learner knows as much as it. */
async function areUpToDate({ synod }: OpenClient): Promise<boolean> {
  const { roles } = await synod.status();
  const leader = roles.find(
    ({ role, state }) => role === "proposer" && state.startsWith("leading"),
  );
  const learners = roles.filter(({ role }) => role === "learner");
  if (leader === undefined || learners.length === 0) return false;
  const known = leader.chosenWatermark ?? 0;
  return learners.every(({ chosenWatermark }) => (chosenWatermark ?? 0) >= known);
}

const question = new TextEncoder().encode(
  JSON.stringify({ after: Number.MAX_SAFE_INTEGER, max: 0 }),
);

function askLearner({ transport, space }: OpenClient): Promise<number | undefined> {
  const subject = doorSubject(space, "history");
  return new Promise((resolve) => {
    transport.request(subject, question, { timeoutMs: answerMsMax }, (answer) => {
      resolve(answer.kind === "answer" ? readTail(answer.message.payload) : undefined);
    });
  });
}

function readTail(payload: Uint8Array): number | undefined {
  try {
    const { tail } = JSON.parse(new TextDecoder().decode(payload)) as { tail?: unknown };
    return typeof tail === "number" ? tail : undefined;
  } catch {
    return undefined;
  }
}

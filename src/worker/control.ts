/**
 * The control subjects of a cluster: every process answers `status`, `why` and `prove` for itself
 * and `cluster` for all, and whoever asks gathers the answers.
 */
import type { Headers, Transport } from "../actor/ports.js";
import { doorSubject, type Space } from "../actor/subject.js";

/** What can be asked. */
export type ControlQuestion = "status" | "why" | "cluster" | "prove";

const headers: Headers = { "Synod-Reply": "1", "Content-Type": "application/json" };

/**
 * Answers one question with JSON for as long as the transport lives. @returns ends it
 *
 * @param answer takes the body of the question
 */
export function answerControl(
  transport: Transport,
  space: Space,
  question: ControlQuestion,
  answer: (body: Uint8Array) => unknown,
): () => void {
  return transport.subscribe(doorSubject(space, `ctl.${question}`), ({ reply, payload: body }) => {
    if (reply === undefined) return;
    const payload = new TextEncoder().encode(JSON.stringify(answer(body)));
    transport.publish(reply, payload, { headers });
  });
}

/** Says whether any process of a cluster of that name answers on this server. */
export function isAnswered(
  transport: Transport,
  space: Space,
  timeoutMs: number,
): Promise<boolean> {
  return new Promise((resolve) => {
    const subject = doorSubject(space, "ctl.cluster");
    transport.request(subject, new Uint8Array(0), { timeoutMs }, (answer) => {
      // What answers without our header is something else that listens there.
      resolve(answer.kind === "answer" && answer.message.headers?.["Synod-Reply"] === "1");
    });
  });
}

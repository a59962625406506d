/**
 * The control subjects of a cluster: every process answers `status`, `why`, `prove` and `hearing`
 * for itself and `cluster` for all, and the client that asks gathers the answers.
 */

import { Asker } from "../client/asker.js";
import { messageBytes } from "../kernel/answer.js";
import { doorSubject, type Space } from "../kernel/bus/subject.js";
import type { Clock, Headers, Transport } from "../kernel/ports.js";

/** What can be asked. */
export type ControlQuestion = "status" | "why" | "cluster" | "prove" | "hearing";

const headers: Headers = { "Synod-Reply": "1", "Content-Type": "application/json" };

/**
 * Answers one question with JSON for as long as the transport lives: in several messages, each with
 * some of the roles, where one would be over the server's limit. @returns ends it
 *
 * @param process this process, which is silent where the question names it under `except`
 * @param answer takes the body of the question
 */
export function answerControl(
  transport: Transport,
  space: Space,
  question: ControlQuestion,
  process: string,
  answer: (body: Uint8Array) => object | Promise<object>,
): () => void {
  return transport.subscribe(doorSubject(space, `ctl.${question}`), ({ reply, payload: body }) => {
    if (reply === undefined || exceptedBy(body).includes(process)) return;
    const say = (told: object) => {
      for (const payload of encodeParts(told, transport.payloadBytesMax)) {
        transport.publish(reply, payload, { headers });
      }
    };
    const told = answer(body);
    if (told instanceof Promise) void told.then(say);
    else say(told);
  });
}

/**
 * Writes an answer, in as many parts as the server's limit asks for.
 *
 * What belongs to the process and not to a role (`dropped`) is in the first part alone, so that who
 * adds up all answers counts it once. Of a role that is over the limit by itself only the name and
 * that fact are left.
 */
function encodeParts(answer: object, payloadBytesMax: number): readonly Uint8Array[] {
  const payload = new TextEncoder().encode(JSON.stringify(answer));
  if (messageBytes(headers, payload) <= payloadBytesMax) return [payload];
  const { roles } = answer as { readonly roles?: readonly NamedRole[] };
  const [only] = roles ?? [];
  if (roles === undefined || only === undefined) return [payload];
  if (roles.length === 1) {
    const { role, id } = only;
    if ("overLimitBytes" in only) return [];
    const shortened = { role, id, overLimitBytes: payload.length };
    return encodeParts({ ...answer, roles: [shortened] }, payloadBytesMax);
  }
  const middle = Math.ceil(roles.length / 2);
  return [
    ...encodeParts({ ...answer, roles: roles.slice(0, middle) }, payloadBytesMax),
    ...encodeParts({ ...answer, roles: roles.slice(middle), dropped: {} }, payloadBytesMax),
  ];
}

interface NamedRole {
  readonly role: string;
  readonly id: string;
}

/** Reads whom a question does not concern: those that have answered it already. */
function exceptedBy(body: Uint8Array): readonly unknown[] {
  if (body.length === 0) return [];
  try {
    const { except } = JSON.parse(new TextDecoder().decode(body)) as { except?: unknown };
    return Array.isArray(except) ? except : [];
  } catch {
    return [];
  }
}

/**
 * Says whether any process of a cluster of that name answers on this server.
 *
 * @throws SynodError if the server forbids to ask, or the connection is closed for good
 */
export async function isAnswered(
  ports: { readonly transport: Transport; readonly clock: Clock },
  space: Space,
  timeoutMs: number,
): Promise<boolean> {
  const asker = new Asker({ ...ports, count: () => {} });
  const reply = await asker.ask(doorSubject(space, "ctl.cluster"), new Uint8Array(0), timeoutMs);
  asker.close();
  if (reply.kind === "failed") throw reply.error;
  return reply.kind === "answer";
}

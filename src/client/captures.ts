/**
 * Captures: JetStream streams that take requests to a cluster, and answer them in the place of its
 * roles with their own acknowledgement.
 *
 * Why ask JetStream: a stream acknowledges to the requester, so no role sees that it does. The
 * filter `subject` of `STREAM.NAMES` finds every stream whose subjects overlap it (tried on
 * nats-server 2.9.10, 2.10.27 and 2.15.1).
 */

import { doorSubject, type Space } from "../kernel/bus/subject.js";
import type { Transport } from "../kernel/ports.js";
import { readJson } from "./entries.js";

/** A stream that captures requests. */
export interface CapturingStream {
  readonly name: string;
  /** Subjects of the cluster that it captures; may hold `>`. */
  readonly subjects: readonly string[];
}

/** What is asked of the cluster. The feed is not: a stream may keep it. */
const REQUESTS = ["propose", "history", "synod-proposer.>", "gateway.>", "ctl.>"] as const;
const TIMEOUT_MS = 500;
/** Most streams that are told of one subject. */
const STREAMS_MAX = 16;

/** Asks JetStream for the streams that capture requests; none where there is no JetStream. */
export async function capturingStreams(
  transport: Transport,
  space: Space,
): Promise<readonly CapturingStream[]> {
  const captured = new Map<string, string[]>();
  const subjects = REQUESTS.map((request) => doorSubject(space, request));
  const answers = await Promise.all(subjects.map((subject) => streamsOver(transport, subject)));
  answers.forEach((names, index) => {
    for (const name of names) {
      captured.set(name, [...(captured.get(name) ?? []), subjects[index] as string]);
    }
  });
  return [...captured].map(([name, over]) => ({ name, subjects: over }));
}

function streamsOver(transport: Transport, subject: string): Promise<readonly string[]> {
  const question = new TextEncoder().encode(JSON.stringify({ subject }));
  const options = { timeoutMs: TIMEOUT_MS };
  return new Promise((resolve) => {
    transport.request("$JS.API.STREAM.NAMES", question, options, (answer) => {
      resolve(answer.kind === "answer" ? namesIn(answer.message.payload) : []);
    });
  });
}

function namesIn(payload: Uint8Array): readonly string[] {
  const { streams } = readJson(payload);
  if (!Array.isArray(streams)) return [];
  return streams.filter((name) => typeof name === "string").slice(0, STREAMS_MAX);
}

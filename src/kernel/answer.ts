/**
 * Answers to those who came through a door, in words that any NATS client reads: headers and JSON,
 * or headers and the raw value.
 */
import { formatBallot } from "../paxos/ballot.js";
import type { DoorAnswer, FeedEntry } from "./effect.js";
import type { Headers } from "./ports.js";

/** A message for the asker. */
export interface PublicMessage {
  readonly headers: Headers;
  readonly payload: Uint8Array;
}

const NOTHING = new Uint8Array(0);

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** Writes plain data for an asker who did not ask in JSON; bodies are then bytes, not base64. */
export type Pack = (value: unknown) => Uint8Array;

/**
 * Headers of one chosen value on the public feed. Every learner gives a position the same
 * `Nats-Msg-Id`, so that a JetStream stream keeps it once.
 */
export function feedHeaders(entry: FeedEntry, clusterId: string): Headers {
  return {
    "Nats-Msg-Id": `${clusterId}.${entry.position}`,
    "Synod-Position": String(entry.position),
    "Synod-Slot": String(entry.slot),
    "Synod-Ballot": formatBallot(entry.ballot),
    "Synod-Type": entry.type,
    "Synod-Synced-By": entry.syncedBy.join(","),
  };
}

/**
 * Writes an answer. Every one has header `Synod-Reply: 1`: an answer without it comes from
 * something else that listens, such as a JetStream stream over our subjects.
 */
export function encodeAnswer(answer: DoorAnswer, pack?: Pack): PublicMessage {
  const headers = { "Synod-Reply": "1", "Synod-Kind": answer.kind };
  const write = pack ?? json;
  switch (answer.kind) {
    case "decided":
      return {
        headers: {
          ...headers,
          "Synod-Ballot": formatBallot(answer.ballot),
          "Synod-Type": answer.type,
          "Synod-Synced-By": answer.syncedBy.join(","),
        },
        payload: answer.value,
      };
    case "undecided":
      return { headers, payload: NOTHING };
    case "receipt": {
      const { position, slot, ballot, syncedBy } = answer;
      return { headers, payload: write({ position, slot, ballot, syncedBy }) };
    }
    case "history": {
      const { last, tail } = answer;
      const entries = answer.entries.map((entry) => ({
        position: entry.position,
        slot: entry.slot,
        ballot: formatBallot(entry.ballot),
        type: entry.type,
        syncedBy: entry.syncedBy,
        body: pack === undefined ? toBase64(entry.body) : entry.body,
      }));
      return { headers, payload: write({ entries, last, tail }) };
    }
    case "refused": {
      const { kind, ...error } = answer;
      return { headers: { ...headers, "Synod-Code": answer.code }, payload: write({ error }) };
    }
  }
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

/** Counts the bytes of a message as a server does, its headers with it. */
export function messageBytes(headers: Headers, payload: Uint8Array): number {
  let bytes = "NATS/1.0\r\n\r\n".length + payload.length;
  for (const [name, value] of Object.entries(headers)) {
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value) + ": \r\n".length;
  }
  return bytes;
}

/**
 * Writes an answer under the server's limit: a history with fewer entries, and a refusal in place
 * of what cannot pass at all.
 */
export function encodeAnswerUnder(
  payloadBytesMax: number,
  answer: DoorAnswer,
  pack?: Pack,
): PublicMessage {
  const message = encodeAnswer(answer, pack);
  const bytes = messageBytes(message.headers, message.payload);
  if (bytes <= payloadBytesMax || answer.kind === "refused") return message;
  if (answer.kind === "history" && answer.entries.length > 1) {
    const entries = answer.entries.slice(0, Math.ceil(answer.entries.length / 2));
    const last = entries[entries.length - 1]?.position ?? answer.last;
    return encodeAnswerUnder(payloadBytesMax, { ...answer, entries, last }, pack);
  }
  const hint = pack === undefined && answer.kind === "history" ? " or ask in MessagePack," : "";
  const refusal = {
    kind: "refused" as const,
    code: "too_large",
    message:
      `the answer has ${bytes} bytes, over the server's limit of ${payloadBytesMax}: raise ` +
      `max_payload of the server or of the account,${hint} and ask again`,
    mayHaveHappened: answer.kind === "decided" || answer.kind === "receipt",
  };
  return encodeAnswer(refusal, pack);
}

/** The answer to a request that found no room. */
export const OVERLOADED: DoorAnswer = {
  kind: "refused",
  code: "overloaded",
  message: "too many requests wait for an answer: ask again later",
  mayHaveHappened: false,
  retryAfterMs: 100,
};

/** The answer to a request that was taken in and not answered when its process ended. */
export const STOPPED: DoorAnswer = {
  kind: "refused",
  code: "stopped",
  message: "the process that took the request ends: what became of it is not known",
  mayHaveHappened: true,
};

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

/** Headers of one chosen value on the public feed. */
export function feedHeaders(entry: FeedEntry): Headers {
  return {
    "Synod-Position": String(entry.position),
    "Synod-Slot": String(entry.slot),
    "Synod-Ballot": formatBallot(entry.ballot),
    "Synod-Type": entry.type,
    ...(entry.log === "" ? {} : { "Synod-Log": entry.log }),
    "Synod-Synced-By": entry.by.join(","),
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
          "Synod-Synced-By": answer.by.join(","),
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
        ...(entry.log === "" ? {} : { log: entry.log }),
        by: entry.by,
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

/** The answer to a request that found no room. */
export const OVERLOADED: DoorAnswer = {
  kind: "refused",
  code: "overloaded",
  message: "too many requests wait for an answer: ask again later",
  mayHaveHappened: false,
  retryAfterMs: 100,
};

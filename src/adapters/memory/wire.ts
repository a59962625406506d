/** What a NATS server makes of subjects and headers. */

import type { PublishOptions } from "../../kernel/ports.js";

/** What has a space or a line break cannot be a subject. */
export function isSendable(subject: string): boolean {
  return subject !== "" && !/\s/.test(subject);
}

/** Says whether a message can go out as it is meant: nothing in it reads as another command. */
export function isSendableMessage(subject: string, { headers, reply }: PublishOptions): boolean {
  const subjects = reply === undefined ? [subject] : [subject, reply];
  const texts = Object.entries(headers ?? {}).flat();
  return subjects.every(isSendable) && !texts.some((text) => /[\r\n]/.test(text));
}

/** Bytes of a message on the wire, its headers counted in (they are ASCII mostly). */
export function bytesOf(payload: Uint8Array, { headers }: PublishOptions): number {
  const texts = Object.entries(headers ?? {}).flat();
  if (texts.length === 0) return payload.length;
  const frame = "NATS/1.0\r\n\r\n".length;
  // A name is followed by ": ", a value by a line break.
  return texts.reduce((sum, text) => sum + text.length + 2, payload.length + frame);
}

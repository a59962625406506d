/** What a NATS server makes of subjects and headers. */

/** What has a space or a line break cannot be a subject. */
export function isSendable(subject: string): boolean {
  return subject !== "" && !/\s/.test(subject);
}

/** Bytes of the header block on the wire, of names and values in turn (they are ASCII mostly). */
export function headerBytesOf(texts: readonly string[]): number {
  const frame = "NATS/1.0\r\n\r\n".length;
  // A name is followed by ": ", a value by a line break.
  return texts.reduce((sum, text) => sum + text.length + 2, frame);
}

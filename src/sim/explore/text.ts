/** Canonical text of plain data: equal data has equal text, whatever the order of maps and sets. */

/** Writes data down. Maps, sets and the fields of objects are sorted. */
export function textOf(data: unknown): string {
  if (data === null || data === undefined) return "~";
  if (typeof data === "string") return JSON.stringify(data);
  if (typeof data !== "object") return String(data);
  if (data instanceof Uint8Array) return `#${hexOf(data)}`;
  if (Array.isArray(data)) return `[${data.map(textOf).join(",")}]`;
  if (data instanceof Set) return `<${[...data].map(textOf).sort().join(",")}>`;
  const fields = data instanceof Map ? [...data] : Object.entries(data);
  return `{${fields
    .map(([name, value]) => `${textOf(name)}:${textOf(value)}`)
    .sort()
    .join(",")}}`;
}

/** Writes bytes in hexadecimal. */
export function hexOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

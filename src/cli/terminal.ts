/** How we speak to people: sentences and tables on standard error or output, colour if wanted. */
import { basename, relative } from "node:path";
import { stripVTControlCharacters, styleText } from "node:util";
import type { LogFields, Logger } from "../kernel/ports.js";
import { output } from "./output.js";

type Style = "bold" | "dim" | "red" | "yellow" | "green";

/** Whether a stream shows colours: a terminal, unless NO_COLOR is set. */
function hasColour(stream: NodeJS.WriteStream): boolean {
  const { NO_COLOR = "", TERM } = process.env;
  return stream.isTTY === true && NO_COLOR === "" && TERM !== "dumb";
}

/** Styles a text for a stream. */
export function styled(stream: NodeJS.WriteStream, style: Style, text: string): string {
  // Node would look at standard output, whichever stream this is for.
  return hasColour(stream) ? styleText(style, text, { validateStream: false }) : text;
}

/** Says something to the person at the terminal; never a result. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** A log for people: what a supervisor has to say, on standard error. */
export const terminalLogger: Logger = {
  debug() {},
  info: (_fields: LogFields, message: string) => say(`synod: ${message}`),
  warn: (_fields: LogFields, message: string) =>
    say(styled(process.stderr, "yellow", `synod: ${message}`)),
  error: (_fields: LogFields, message: string) =>
    say(styled(process.stderr, "red", `synod: ${message}`)),
};

/** Lays out rows in columns; the first row is the head. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, stripVTControlCharacters(cell).length);
    });
  }
  return rows.map((row) =>
    row
      .map((cell, i) => cell + " ".repeat(widths[i]! - stripVTControlCharacters(cell).length))
      .join("  ")
      .trimEnd(),
  );
}

/** How this program is called from here: `synod`, or `node dist/src/cli/main.js` in a clone. */
export function commandName(): string {
  const [, path = ""] = process.argv;
  return basename(path) === "synod" ? "synod" : `node ${relative(process.cwd(), path)}`;
}

/** Writes one result: a line, or with `--json` one object a line. What fails, `main.ts` says. */
export function result(line: string): void {
  output.write(`${line}\n`).catch(() => {});
}

/** Writes what there is by name: a table, or with `--json` one object a line. */
export function resultRows(
  rows: readonly { readonly name: string; readonly what: string }[],
  isJson: boolean | undefined,
): void {
  const named = rows.map(({ name, what }) => ({ name, what }));
  if (isJson === true) for (const row of named) result(JSON.stringify(row));
  else for (const line of table(named.map((row) => [row.name, row.what]))) result(line);
}

/** `1.2 s`, `340 ms`, `3 min` */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.round(ms / 60_000)} min`;
}

/** `512 B`, `1.5 KiB`, `256 MiB` */
export function size(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let amount = bytes;
  let unit = 0;
  for (; amount >= 1024 && unit < units.length - 1; unit++) amount /= 1024;
  return `${Number.isInteger(amount) ? amount : amount.toFixed(1)} ${units[unit]}`;
}

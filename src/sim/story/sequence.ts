/** A story as a Mermaid sequence diagram: the roles side by side, time downwards. */
import type { Happening } from "./happening.js";
import { type Folded, fold, inOrder, timeText } from "./telling.js";

/** Arrows and notes of a diagram, if nothing else is said: more cannot be read. */
export const ARROWS_MAX = 120;

/** Order of participants, by the first letter of their names; everybody else comes first. */
const COLUMNS = "cgspaleL";

/**
 * Draws happenings.
 *
 * @param arrowsMax the last so many arrows and notes are drawn, and a note says how many are not
 */
export function sequenceDiagram(happenings: readonly Happening[], arrowsMax = ARROWS_MAX): string {
  const told = fold(happenings.filter(({ isNoise }) => !isNoise));
  const people = participants(told);
  const aliases = new Map(people.map((name, at) => [name, aliasOf(name, at)]));
  const drawn = told.flatMap((one) => draw(one, aliases, people));
  const left = Math.max(0, drawn.length - arrowsMax);
  const [first, last] = [people[0], people.at(-1)].map((name) => aliases.get(name ?? ""));
  const over = first === last ? first : `${first},${last}`;
  const gap =
    left > 0 ? [`  Note over ${over}: ${left} earlier arrows and notes are left out`] : [];
  return [
    "sequenceDiagram",
    ...people.map((name) => {
      const alias = aliases.get(name);
      return alias === name ? `  participant ${name}` : `  participant ${alias} as ${plain(name)}`;
    }),
    ...gap,
    ...drawn.slice(left),
    "",
  ].join("\n");
}

function participants(told: readonly Folded[]): string[] {
  const names = new Set<string>();
  for (const { kind, whos, to, lost } of told) {
    if (kind === "message" || kind === "client") {
      for (const name of [...whos, ...to, ...lost]) names.add(name);
    }
    if (kind === "disk") for (const name of whos) names.add(name);
  }
  const column = (name: string) => COLUMNS.indexOf(name[0] ?? "");
  return inOrder(names).sort((a, b) => column(a) - column(b));
}

function draw(
  one: Folded,
  aliases: ReadonlyMap<string, string>,
  people: readonly string[],
): string[] {
  const { kind, whos, to, lost, twice, late, atMs } = one;
  const said = plain(one.text);
  const remark = (name: string) => {
    const when = late.find((one) => one.startsWith(`${name} in `));
    const often = twice.includes(name) ? " (twice)" : "";
    return `${often}${when === undefined ? "" : ` (late, ${when.slice(name.length + 1)})`}`;
  };
  if (kind === "message") {
    return whos.flatMap((who) => {
      const from = aliases.get(who);
      return [
        ...inOrder(to).map((name) => `  ${from}->>${aliases.get(name)}: ${said}${remark(name)}`),
        ...inOrder(lost).map((name) => `  ${from}--x${aliases.get(name)}: lost: ${said}`),
      ];
    });
  }
  const known = inOrder(whos.flatMap((who) => who.split(" "))).filter((name) => aliases.has(name));
  if (known.length > 0) {
    return known.map((name) => `  Note over ${aliases.get(name)}: ${timeText(atMs)} ms: ${said}`);
  }
  const [first, last] = [people[0], people.at(-1)].map((name) => aliases.get(name ?? ""));
  if (first === undefined) return [];
  const over = first === last ? first : `${first},${last}`;
  return [`  Note over ${over}: ${timeText(atMs)} ms: ${plain(whos.join(" "))} ${said}`];
}

/** What Mermaid may call a participant. */
function aliasOf(name: string, at: number): string {
  return /^[a-z]\w*$/.test(name) && name !== "end" ? name : `x${at}`;
}

/** Takes out what Mermaid reads as its own: `;` and `#` end a text. */
function plain(text: string): string {
  return text.replaceAll(";", ",").replaceAll("#", "no. ").replaceAll("\n", " ");
}

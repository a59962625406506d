/**
 * The table of messages: who hears a verb is data of the registry, what it means is the doc comment
 * of its type in `src/paxos/wire/messages.ts`.
 *
 * Why from the source text: a doc comment is the one place where a message is explained. It is read
 * when the pages are written, never when a program runs.
 */
import { roles } from "../../actors/index.js";
import { hearingsOf } from "../paxos/wire/verbs.js";
import { markdownTable } from "./table.js";

/** A message as the source explains it. */
export interface MessageDoc {
  readonly verb: string;
  /** The heading it stands under. */
  readonly section: string;
  /** The first paragraph of its doc comment, as one line. */
  readonly doc: string;
}

/** Verbs that the host of every process hears, whatever roles it runs. */

const COMMENT = /\/\*\*(?<doc>(?:(?!\*\/)[\s\S])*)\*\//.source;
const MESSAGE = /export interface \w+ \{\n {2}readonly type: "(?<verb>.+)";/.source;
const HEADING = /\/\/ --- (?<section>.+?) -+/.source;
/** Headings, and the interfaces whose first field is their verb, each right under its comment. */
const PART = new RegExp(`^${HEADING}$|^${COMMENT}\\n${MESSAGE}$`, "gm");

/** Reads the messages and their doc comments from the text of `src/paxos/wire/messages.ts`. */
export function readMessageDocs(source: string): readonly MessageDoc[] {
  const docs: MessageDoc[] = [];
  let section = "";
  for (const { groups = {} } of source.matchAll(PART)) {
    if (groups["section"] !== undefined) section = groups["section"];
    const { verb, doc } = groups;
    if (verb !== undefined) docs.push({ verb, section, doc: firstParagraph(doc ?? "") });
  }
  return docs;
}

/** Writes the messages as one table for each heading. */
export function messageTables(docs: readonly MessageDoc[]): string {
  const sections = [...new Set(docs.map(({ section }) => section))];
  const tables = sections.map((section) => {
    const rows = docs
      .filter((doc) => doc.section === section)
      .map(({ verb, doc }) => [`\`${verb}\``, hearers(verb), doc]);
    const title = section.charAt(0).toUpperCase() + section.slice(1);
    return `**${title}**\n\n${markdownTable(["verb", "who hears it", "what it is"], rows)}`;
  });
  return tables.join("\n\n");
}

/** Who hears a verb, itself or as one of many, or overhears it. */
function hearers(verb: string): string {
  const heard = Object.values(roles).flatMap(({ name }) =>
    hearingsOf(name)
      .filter((hearing) => hearing.verb === verb)
      .map(({ to, isOverheard, queue }) => {
        if (isOverheard) return `${name} (told to ${to})`;
        return queue ? `one ${name}` : name;
      }),
  );
  return heard.length === 0 ? "every process" : heard.join(", ");
}

function firstParagraph(comment: string): string {
  const lines = comment.split("\n").map((line) => line.replace(/^\s*\*?\s?/, "").trimEnd());
  const text = lines.join("\n").trim().split("\n\n")[0] ?? "";
  return text.replaceAll("\n", " ").replaceAll(/\{@link (\w+)\}/g, "`$1`");
}

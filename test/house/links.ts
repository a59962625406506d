/**
 * Links between the documents: each leads to a file that is there, and to a heading in it.
 */
import { posix } from "node:path";
import { type Finding, lineAt, type SourceText } from "./sources.js";

/** Finds the relative links of the documents that lead nowhere. */
export function checkLinks(tree: readonly SourceText[]): Finding[] {
  const texts = new Map(tree.map(({ path, text }) => [path, text]));
  const isThere = (target: string) => {
    const folder = `${target.replace(/\/$/, "")}/`;
    return tree.some(({ path }) => path === target || path.startsWith(folder));
  };
  return tree
    .filter(({ path }) => path.endsWith(".md"))
    .flatMap((source) =>
      [...source.text.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(({ 1: link = "", index }) => {
        const [file = "", heading] = link.split("#");
        if (/^[a-z]+:/.test(file)) return [];
        const { path } = source;
        const target = file === "" ? path : posix.join(posix.dirname(path), file);
        const isGood =
          isThere(target) &&
          (heading === undefined || headingsOf(texts.get(target) ?? "").has(heading));
        return isGood
          ? []
          : [{ path, line: lineAt(source, index), message: `the link ${link} leads nowhere` }];
      }),
    );
}

/** The names that a page gives to its headings, as GitHub writes them. */
function headingsOf(text: string): ReadonlySet<string> {
  const name = (heading: string) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-");
  return new Set([...text.matchAll(/^#+ (.*)$/gm)].map(({ 1: heading = "" }) => name(heading)));
}

/**
 * Scripts of scenarios: commands, `----`, and what everyone saw; in the manner of the interaction
 * tests of etcd's raft.
 */

/** Commands that are given together, and what was seen until the next ones. */
export interface Block {
  readonly commands: readonly string[];
  readonly seen: readonly string[];
}

/** A script, read. */
export interface Script {
  /** The lines at its head that begin with `#`: a title, and why it is worth a look. */
  readonly head: readonly string[];
  readonly blocks: readonly Block[];
}

const RULE = "----";

/** Reads a script. @throws Error if a block has commands but no rule, or no head */
export function parseScript(text: string): Script {
  const lines = text.split("\n");
  const begin = lines.findIndex((line) => !line.startsWith("#"));
  const head = lines.slice(0, begin);
  if (head.length < 2) throw new Error("a script begins with a title and a reason");
  const blocks = lines
    .slice(begin)
    .join("\n")
    .split(/\n\n+/)
    .map((block) => block.split("\n").filter((line) => line !== ""))
    .filter((block) => block.length > 0)
    .map(parseBlock);
  return { head, blocks };
}

function parseBlock(lines: readonly string[]): Block {
  const rule = lines.indexOf(RULE);
  if (rule < 1) throw new Error(`commands, then ${RULE}: ${lines[0]}`);
  return { commands: lines.slice(0, rule), seen: lines.slice(rule + 1) };
}

/** Writes a script. */
export function writeScript({ head, blocks }: Script): string {
  const texts = blocks.map(({ commands, seen }) => [...commands, RULE, ...seen].join("\n"));
  return `${[head.join("\n"), ...texts].join("\n\n")}\n`;
}

/** Everything that is generated from the charts and committed: two files a role, and the README. */
import { roles } from "../../actors/index.js";
import { leavesOf, readChart } from "./ir.js";
import { chartJson } from "./json.js";
import { chartMermaid } from "./mermaid.js";
import { messageTables, readMessageDocs } from "./messages.js";
import { markdownTable, stateTable, transitionTable } from "./table.js";

type Role = NonNullable<(typeof roles)[keyof typeof roles]>;

/** A text file, its path relative to the root of the repository. */
export interface GeneratedFile {
  readonly path: string;
  readonly text: string;
}

/** The committed pictures of every role. */
export function chartFiles(): readonly GeneratedFile[] {
  return Object.values(roles).flatMap(({ name, machine }) => [
    { path: `actors/${name}/chart.mmd`, text: chartMermaid(readChart(machine.config)) },
    { path: `actors/${name}/chart.json`, text: chartJson(machine) },
  ]);
}

/**
 * Writes the generated parts of `actors/README.md` anew.
 *
 * @param readme   the page as it is; what stands outside the markers is kept
 * @param messages the text of `src/paxos/wire/messages.ts`
 * @throws Error if a pair of markers is missing
 */
export function fillReadme(readme: string, messages: string): string {
  const parts = {
    roles: roleTable(),
    messages: messageTables(readMessageDocs(messages)),
    charts: Object.values(roles).map(roleSection).join("\n\n"),
  };
  return Object.entries(parts).reduce((text, [name, part]) => fill(text, name, part), readme);
}

function fill(readme: string, name: string, part: string): string {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [readme.indexOf(open), readme.indexOf(close)];
  if (from < 0 || to < from) throw new Error(`actors/README.md has no ${open} … ${close}`);
  return `${readme.slice(0, from + open.length)}\n\n${part}\n\n${readme.slice(to)}`;
}

function roleTable(): string {
  const rows = Object.values(roles).map(({ name, machine, stateful, doors = [] }) => {
    const chart = readChart(machine.config);
    const states = leavesOf(chart).map(({ path }) => path);
    const subjects = doors.map(({ subject }) => `\`${subject}\``);
    return [
      `[${name}](#${name})`,
      chart.description,
      states.join(", "),
      stateful ? "yes" : "no",
      subjects.join(", "),
    ];
  });
  return markdownTable(["role", "what it does", "states", "own store", "public doors"], rows);
}

function roleSection({ name, machine }: Role): string {
  const chart = readChart(machine.config);
  const links = ["machine.ts", "context.ts", "chart.mmd", "chart.json"]
    .map((file) => `[${file}](${name}/${file})`)
    .join(" · ");
  return [
    `### ${name}`,
    `${chart.description} ${links}`,
    `\`\`\`mermaid\n${chartMermaid(chart)}\`\`\``,
    stateTable(chart),
    transitionTable(chart),
  ].join("\n\n");
}

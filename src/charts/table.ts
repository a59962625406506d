/** Charts as tables in Markdown: what a picture has no room for. */
import {
  type ChartState,
  type ChartTransition,
  describeTrigger,
  isInternal,
  statesOf,
} from "./ir.js";

/** One row for each transition, entry and exit, in reading order. */
export function transitionTable(chart: ChartState): string {
  const rows = statesOf(chart).flatMap((state) => {
    const name = state.path === "" ? "(any)" : state.path;
    return [
      ...state.entry.map((action) => [name, "entry", "", code([action]), ""]),
      ...state.transitions.map((transition) => [name, ...transitionCells(transition)]),
      ...state.exit.map((action) => [name, "exit", "", code([action]), ""]),
    ];
  });
  return markdownTable(["state", "event", "if", "does", "to"], rows);
}

/** One row for each state: why it exists, what it tells outsiders, and where the paper has it. */
export function stateTable(chart: ChartState): string {
  const rows = statesOf(chart)
    .filter(({ path }) => path !== "")
    .map(({ path, description, tags, paper }) => [path, description, code(tags), paper]);
  return markdownTable(["state", "why it exists, what leaves it", "tags", "paper"], rows);
}

/** Writes a table in Markdown. */
export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]) => `| ${cells.map(escapeCell).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function transitionCells(transition: ChartTransition): string[] {
  const { trigger, guard, actions, to, from } = transition;
  const event = trigger.kind === "event" ? code([trigger.event]) : describeTrigger(trigger);
  const does = actions.length === 0 && to === null ? "nothing" : code(actions);
  const where = isInternal(transition) ? "" : to === from ? `${to}, anew` : (to ?? "");
  return [event, guard === null ? "" : code([guard]), does, where];
}

function code(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(", ");
}

function escapeCell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

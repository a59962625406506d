/**
 * Charts as Mermaid `stateDiagram-v2`, which GitHub draws.
 *
 * An arrow is drawn where a state is left; what stays in a state is a line of text inside it.
 * Handlers of the whole chart, and of a state with inner states, are a note: Mermaid cannot draw an
 * arrow from a box to what is inside it.
 */
import {
  type ChartState,
  type ChartTransition,
  describeTrigger,
  isAround,
  isInternal,
  parentPath,
  statesOf,
} from "./ir.js";

/** Words that Mermaid reads as its own. */
const RESERVED = new Set([
  ...["state", "note", "end", "as", "direction", "class", "classDef", "style", "default"],
  ...["click", "hide", "scale", "fork", "join", "choice", "accTitle", "accDescr"],
]);

interface Arrow {
  readonly from: string;
  readonly to: string;
  readonly labels: readonly string[];
}

/** Draws a chart. */
export function chartMermaid(chart: ChartState): string {
  const arrows = arrowsOf(chart);
  const lines = ["stateDiagram-v2", ...indent([...inner(chart, arrows), ...anywhere(chart)])];
  return `${lines.join("\n")}\n`;
}

/** The id of a state in the picture. */
export function mermaidId(path: string): string {
  const id = path.replaceAll(/[^A-Za-z0-9]/g, "_");
  return RESERVED.has(id) ? `${id}_` : id;
}

/** What is inside a state: where it begins, its states, and the arrows between those. */
function inner(state: ChartState, arrows: readonly Arrow[]): string[] {
  const begin = state.initial === null ? [] : [`[*] --> ${mermaidId(state.initial)}`];
  const boxes = state.states.map((one) => box(one, arrows));
  const parts =
    state.kind === "parallel"
      ? boxes.flatMap((b, i) => (i === 0 ? b : ["--", ...b]))
      : boxes.flat();
  const ends = state.states.filter(({ kind }) => kind === "final");
  return [
    ...begin,
    ...parts,
    ...arrows
      .filter(({ from, to }) => innermostAround(from, to) === state.path)
      .map(({ from, to, labels }) => `${mermaidId(from)} --> ${mermaidId(to)} : ${joined(labels)}`),
    ...ends.map(({ path }) => `${mermaidId(path)} --> [*]`),
  ];
}

/** One state: its name, what it does while nothing leaves it, and what is inside. */
function box(state: ChartState, arrows: readonly Arrow[]): string[] {
  const id = mermaidId(state.path);
  const text = textLines(state);
  if (state.states.length === 0) return [state.name, ...text].map((line) => `${id} : ${line}`);
  const body = [`state "${state.name}" as ${id} {`, ...indent(inner(state, arrows)), "}"];
  return text.length === 0 ? body : [...body, ...note(id, text)];
}

/** What the chart does in every state. */
function anywhere(chart: ChartState): string[] {
  const text = textLines(chart);
  const first = chart.initial ?? chart.states[0]?.path;
  if (text.length === 0 || first === undefined) return [];
  return note(mermaidId(first), text, ["in every state"]);
}

function note(id: string, text: readonly string[], title: readonly string[] = []): string[] {
  const lines = [...title, ...text.map((line) => `• ${line}`)];
  return [`note left of ${id}`, ...indent(lines), "end note"];
}

function textLines(state: ChartState): string[] {
  const first = state.path === "" ? "at the start" : "entry";
  const entry = state.entry.length === 0 ? [] : [`${first} / ${state.entry.join(", ")}`];
  const exit = state.exit.length === 0 ? [] : [`exit / ${state.exit.join(", ")}`];
  const stays = state.transitions.filter((transition) => !isArrow(transition)).map(stayLabel);
  return [...entry, ...stays, ...exit].map(clean);
}

function stayLabel(transition: ChartTransition): string {
  const { from, to, actions } = transition;
  if (to === null && actions.length === 0) return `${label(transition)} (ignored)`;
  if (isInternal(transition)) return label(transition);
  return `${label(transition)} → ${to === from ? "anew" : to}`;
}

/** Whether a transition is drawn between two boxes that do not contain each other. */
function isArrow({ from, to }: ChartTransition): boolean {
  return to !== null && to !== from && !isAround(from, to) && !isAround(to, from);
}

/** One arrow for each pair of states, with a label for each transition between them. */
function arrowsOf(chart: ChartState): Arrow[] {
  const arrows = new Map<string, { from: string; to: string; labels: string[] }>();
  for (const transition of statesOf(chart).flatMap((state) => state.transitions)) {
    const { from, to } = transition;
    if (to === null || !isArrow(transition)) continue;
    const pair = `${from} ${to}`;
    const arrow = arrows.get(pair) ?? { from, to, labels: [] };
    arrow.labels.push(label(transition));
    arrows.set(pair, arrow);
  }
  return [...arrows.values()];
}

function label({ trigger, guard, actions }: ChartTransition): string {
  const question = guard === null ? "" : ` [${guard}]`;
  const does = actions.length === 0 ? "" : ` / ${actions.join(", ")}`;
  return `${describeTrigger(trigger)}${question}${does}`;
}

function joined(labels: readonly string[]): string {
  return labels.map(clean).join("<br>");
}

/** The path of the innermost state that is around both; arrows are declared there. */
function innermostAround(a: string, b: string): string {
  let path = parentPath(a);
  while (!isAround(path, b)) path = parentPath(path);
  return path;
}

/** Takes out what Mermaid would read as the end of the label. */
function clean(text: string): string {
  return text.replaceAll(/[;:#%\n]/g, " ");
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

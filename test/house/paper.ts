/**
 * `test/PAPER.md`: each sentence of the paper that a test is named by, the rules that it holds to
 * it, the states of the charts that apply these rules, and the test.
 */
import { basename, relative } from "node:path/posix";
import ts from "typescript";
import type { AnyStateMachine } from "xstate";
import { roles } from "../../actors/index.js";
import { readChart, statesOf } from "../../src/charts/ir.js";
import { chartConfig } from "../../src/charts/json.js";
import { choices, helpers } from "./paper-choices.js";
import { type Reached, type RuleRef, Sources } from "./paper-reach.js";

/** The tests of the paper, in its order. */
const paperTests = ["paper", "paper-algorithm", "paper-log"].map(
  (name) => `test/paxos/${name}.test.ts`,
);

/** One sentence of the paper. */
export interface Row {
  readonly section: string;
  readonly sentence: string;
  /** At most {@link RULES_MAX}, the most telling first. */
  readonly rules: readonly RuleRef[];
  /** `role.state`, sorted. */
  readonly states: readonly string[];
  /** Path of the file with the test. */
  readonly test: string;
}

/** More would tell less. */
const RULES_MAX = 3;
const invariantsFile = "src/paxos/proof/invariants.ts";
const chartOf = (role: string) => `actors/${role}/machine.ts`;

interface Sentence extends Pick<Row, "section" | "sentence" | "test"> {
  readonly reached: readonly Reached[];
}

/** A role's chart: what each of its states comes to, and what the rules behind that call. */
interface StateRules {
  readonly state: string;
  readonly direct: ReadonlySet<string>;
  readonly behind: ReadonlySet<string>;
}

/**
 * Reads the sentences with all that belongs to them.
 *
 * @param texts read instead of the files of these paths
 * @throws Error on a title that is no plain string, a sentence that comes to no rule, and a choice
 *   (`paper-choices.ts`) that fits no sentence or names a rule that its test does not come to
 */
export function readPaper(texts?: ReadonlyMap<string, string>): readonly Row[] {
  const charts = Object.keys(roles).map(chartOf);
  const sources = new Sources([...paperTests, ...charts], texts);
  const sentences = paperTests.flatMap((path) => sentencesOf(sources, path));
  for (const chosen of Object.keys(choices)) {
    if (sentences.every(({ sentence }) => sentence !== chosen)) {
      throw new Error(`a choice for a sentence that no test has: ${chosen}`);
    }
  }
  const states = Object.values(roles).flatMap(({ name, machine }) =>
    rulesOfStates(sources, name, machine),
  );
  return sentences.map((sentence) => {
    const rules = pick(sentence, sentences);
    return { ...sentence, rules, states: statesWith(rules, states) };
  });
}

/** Writes the sentences as Markdown, a table a section. */
export function writePaper(rows: readonly Row[]): string {
  const sections = [...new Set(rows.map(({ section }) => section))];
  return [
    "# The paper, sentence by sentence",
    "",
    "Written by `npm run paper` from the tests, the rules and the charts; `npm run check` fails",
    "when it is out of date. Each sentence of Lamport's _Paxos Made Simple_ is the name of a test.",
    "Beside it stand the most telling of the rules that the test comes to (at most three, with the",
    "invariant it is held to; `house/paper-choices.ts` says which, where a whole world is run),",
    "and the states of the charts that apply one of these rules.",
    ...sections.flatMap((section) => [
      "",
      `## ${section}`,
      "",
      "| sentence | rule | state of a chart | test |",
      "| --- | --- | --- | --- |",
      ...rows.filter((row) => row.section === section).map(writeRow),
    ]),
    "",
  ].join("\n");
}

function writeRow({ sentence, rules, states, test }: Row): string {
  const link = (name: string, path: string) => `[${name}](${relative("test", path)})`;
  const cells = [
    sentence.replaceAll("|", "\\|"),
    rules.map(({ name, path }) => link(`\`${name}\``, path)).join(", "),
    states.map((state) => `\`${state}\``).join(", ") || "–",
    link(basename(test), test),
  ];
  return `| ${cells.join(" | ")} |`;
}

function sentencesOf(sources: Sources, test: string): Sentence[] {
  const found: Sentence[] = [];
  const enter = (node: ts.Node, section: string): void => {
    const called = ts.isCallExpression(node) ? calledBy(node) : null;
    if (called?.word === "it") {
      const reached = sources.rulesIn(called.body, ["test/"]);
      found.push({ section, sentence: called.title, test, reached });
      return;
    }
    const within = called?.word === "describe" ? called.title : section;
    ts.forEachChild(node, (child) => enter(child, within));
  };
  enter(sources.file(test), "");
  return found;
}

/** The title and body of a `describe` or `it`; null for any other call. */
function calledBy({ expression, arguments: [title, body] }: ts.CallExpression) {
  const word = expression.getText().split(/[.(]/)[0] as string;
  if (word !== "it" && word !== "describe") return null;
  if (!ts.isIdentifier(expression) || title === undefined || body === undefined) {
    throw new Error(`${expression.getText()}: a sentence is a plain ${word}(title, body)`);
  }
  if (!ts.isStringLiteralLike(title)) throw new Error(`${title.getText()}: not a plain title`);
  return { word, title: title.text, body };
}

/**
 * The rules of a sentence: those chosen for it, else the nearest, of these the ones that the
 * fewest sentences come to. Invariants come last, and one that stands for all of them at the end.
 */
function pick({ sentence, reached }: Sentence, all: readonly Sentence[]): readonly RuleRef[] {
  const chosen = choices[sentence];
  if (chosen !== undefined) {
    return chosen.map((name) => {
      const rule = reached.find((one) => one.name === name);
      if (rule === undefined) throw new Error(`"${sentence}" does not come to ${name}`);
      return rule;
    });
  }
  const uses = ({ name }: RuleRef) =>
    all.filter((other) => other.reached.some((one) => one.name === name)).length;
  const telling = reached.filter((rule) => !helpers.has(rule.name) && rule.depth <= 1);
  const rules = telling.filter(({ path }) => path !== invariantsFile);
  const nearest = Math.min(...rules.map(({ depth }) => depth));
  const own = rules.filter(({ depth }) => depth === nearest);
  const invariants = telling.filter(({ path, depth }) => path === invariantsFile && depth === 0);
  const rare = (some: readonly Reached[]) => [...some].sort((a, b) => uses(a) - uses(b));
  const picked = [...rare(own), ...rare(invariants)].slice(0, RULES_MAX);
  if (picked.length === 0) throw new Error(`"${sentence}" comes to no rule: choose one`);
  return picked;
}

/**
 * The states that apply one of these rules; for a rule that none does by itself, those that come to
 * it by another rule. One inside another that is told anyway is left out.
 */
function statesWith(rules: readonly RuleRef[], states: readonly StateRules[]): readonly string[] {
  const found = rules.map(idOf).flatMap((rule) => {
    const direct = states.filter((state) => state.direct.has(rule));
    return direct.length > 0 ? direct : states.filter((state) => state.behind.has(rule));
  });
  const names = [...new Set(found.map(({ state }) => state))].sort();
  return names.filter((name) => !names.some((outer) => name.startsWith(`${outer}.`)));
}

function rulesOfStates(sources: Sources, role: string, machine: AnyStateMachine): StateRules[] {
  const chart = readChart(chartConfig(machine));
  const named = implementations(sources.file(chartOf(role)));
  return statesOf(chart).map((state) => {
    const names = [
      ...state.entry,
      ...state.exit,
      ...state.transitions.flatMap(({ guard, actions }) => [...actions, guard ?? []].flat()),
      ...(state.path === chart.initial ? ["context"] : []),
    ];
    const rulesIn = (...through: readonly string[]) =>
      names.flatMap((name) => {
        const code = named.get(name);
        return code === undefined ? [] : sources.rulesIn(code, through).map(idOf);
      });
    return {
      state: state.path === "" ? role : `${role}.${state.path}`,
      direct: new Set(rulesIn("actors/")),
      behind: new Set(rulesIn("actors/", "src/paxos/")),
    };
  });
}

/** What a machine's file says each guard and action is, and the context that it begins with. */
function implementations(file: ts.SourceFile): ReadonlyMap<string, ts.Node> {
  const named = new Map<string, ts.Node>();
  const enter = (node: ts.Node): void => {
    const { parent } = node;
    const holder = ts.isObjectLiteralExpression(parent) ? parent.parent : undefined;
    const isPart = holder !== undefined && ts.isPropertyAssignment(holder);
    if (
      ts.isPropertyAssignment(node) &&
      isPart &&
      /^(?:guards|actions)$/.test(holder.name.getText())
    )
      named.set(node.name.getText(), node.initializer);
    else if (ts.isPropertyAssignment(node) && node.name.getText() === "context") {
      if (ts.isArrowFunction(node.initializer)) named.set("context", node.initializer);
      ts.forEachChild(node, enter);
    } else ts.forEachChild(node, enter);
  };
  ts.forEachChild(file, enter);
  return named;
}

function idOf({ name, path }: RuleRef): string {
  return `${path}#${name}`;
}

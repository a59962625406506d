/**
 * Charts as a TypeScript module that stands alone: paste it into Stately Sketch and play.
 *
 * Why not the machine file itself: Sketch strips types, takes out `import … from 'xstate'` and
 * `export`, and runs the rest in `new Function`; any other import fails there.
 */
import type { AnyStateMachine } from "xstate";
import { namesOf, readChart, statesOf } from "./ir.js";
import { chartConfig } from "./json.js";

/** Milliseconds of every delay: long enough to watch. */
const DELAY_MS = 1000;

const HEAD = `// The chart without its rules: actions do nothing. Guards answer yes, those of
// \`always\` no, so that the chart comes to rest; change one to see the other way.
import { setup } from "xstate";
`;

/** Writes a machine's chart as a module with stubs for everything it names. */
export function chartModule(machine: AnyStateMachine): string {
  const config = chartConfig(machine);
  const chart = readChart(config);
  const { actions, guards, delays } = namesOf(chart);
  const resting = new Set(
    statesOf(chart)
      .flatMap((state) => state.transitions)
      .filter(({ trigger }) => trigger.kind === "always")
      .map(({ guard }) => guard),
  );
  const stubs = {
    actions: stub(actions, () => "() => {}"),
    guards: stub(guards, (name) => `() => ${!resting.has(name)}`),
    delays: stub(delays, () => String(DELAY_MS)),
  };
  const setupText = Object.entries(stubs).map(([kind, text]) => `  ${kind}: ${text},\n`);
  const configText = literal(config, "");
  return `${HEAD}
export const machine = setup({
${setupText.join("")}}).createMachine(${configText});
`;
}

function stub(names: readonly string[], value: (name: string) => string): string {
  if (names.length === 0) return "{}";
  return `{\n${names.map((name) => `    ${key(name)}: ${value(name)},\n`).join("")}  }`;
}

/** Writes plain data as people write it in TypeScript. */
function literal(value: unknown, indent: string): string {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const deeper = `${indent}  `;
  if (Array.isArray(value)) {
    const items = value.map((item) => literal(item, deeper));
    const short = `[${items.join(", ")}]`;
    if (short.length + indent.length <= 80 && !short.includes("\n")) return short;
    return `[\n${items.map((item) => `${deeper}${item},\n`).join("")}${indent}]`;
  }
  const fields = Object.entries(value).map(([name, it]) => `${key(name)}: ${literal(it, deeper)}`);
  if (fields.length === 0) return "{}";
  return `{\n${fields.map((field) => `${deeper}${field},\n`).join("")}${indent}}`;
}

function key(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
}

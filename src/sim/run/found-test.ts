/**
 * A found plan as a test: a Vitest file that runs it again, with its story as a comment, ready for
 * `test/sim/found/`.
 */

import type { Violation } from "../monitor/ledger.js";
import type { Plan } from "../plan/plan.js";

const COLUMNS_MAX = 100;

/** What a test file is written from. */
export interface FoundTest {
  /** Of the run that was found; part of the file's name. */
  readonly seed: number;
  readonly plan: Plan;
  readonly violation: Violation;
  /** The story, line by line. */
  readonly lines: readonly string[];
  /** Where the simulator is, as the file imports it. */
  readonly sim?: string | undefined;
  /**
   * A negative control, imported and handed to the run: the file then fails for as long as the
   * control is caught. Left out, the file passes as soon as the plan breaks nothing.
   */
  readonly control?: { readonly name: string; readonly from: string } | undefined;
}

/** Names the file of a found plan. */
export function foundTestName({ seed }: Pick<FoundTest, "seed">): string {
  return `seed-${seed}.test.ts`;
}

/** Writes the file. */
export function writeFoundTest(found: FoundTest): string {
  const { seed, plan, violation, lines, sim = "../../../src/sim", control } = found;
  const { invariant, sentence } = violation;
  const imports = [
    'import { expect, it } from "vitest";',
    `import type { Plan } from "${sim}/plan/plan.js";`,
    `import { runPlan } from "${sim}/run/run.js";`,
  ];
  if (control !== undefined) imports.push(`import { ${control.name} } from "${control.from}";`);
  const options = control === undefined ? "" : `, ${control.name}`;
  const goal = `Goal: what seed ${seed} found stays mended: ${invariant}. It was broken thus:`;
  return [
    "/**",
    ...comment([
      ...wrap(goal),
      ...wrap(`${sentence}.`),
      "Method: the plan to which the seed was shrunk, run again; this is what happened:",
      "",
      ...lines,
    ]),
    " */",
    ...imports,
    "",
    `const plan: Plan = ${literal(plan, 0, "const plan: Plan = ".length)};`,
    "",
    `it("seed ${seed} breaks nothing", () => {`,
    `  expect(runPlan(plan${options}).violation).toBeNull();`,
    "});",
    "",
  ].join("\n");
}

/** Lines of a comment; none is too wide, and none ends it. */
function comment(lines: readonly string[]): string[] {
  const most = COLUMNS_MAX - 3;
  return lines.map((line) => {
    const safe = line.replaceAll("*/", "* /");
    const columns = [...safe];
    const short = columns.length <= most ? safe : `${columns.slice(0, most - 1).join("")}…`;
    return ` * ${short}`.trimEnd();
  });
}

function wrap(text: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.replaceAll("\n", " ").split(" ")) {
    if (line !== "" && line.length + 1 + word.length > COLUMNS_MAX - 3) {
      lines.push(line);
      line = "";
    }
    line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** Writes plain data as the formatter of the repository would. */
function literal(value: unknown, indent: number, taken: number): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const isArray = Array.isArray(value);
  const fields = isArray
    ? value.map((one) => ["", one] as const)
    : Object.entries(value).map(([name, one]) => [`${nameOf(name)}: `, one] as const);
  if (fields.length === 0) return isArray ? "[]" : "{}";
  const flat = fields.map(([name, one]) => `${name}${literal(one, 0, -Infinity)}`).join(", ");
  const line = isArray ? `[${flat}]` : `{ ${flat} }`;
  const isTall = isArray && fields.length > 1 && fields.every(([, one]) => isMany(one));
  if (!isTall && !line.includes("\n") && taken + line.length + 1 <= COLUMNS_MAX) return line;
  const pad = " ".repeat(indent + 2);
  const rows = fields.map(([name, one]) => {
    return `${pad}${name}${literal(one, indent + 2, pad.length + name.length)},`;
  });
  const [open, close] = isArray ? "[]" : "{}";
  return `${open}\n${rows.join("\n")}\n${" ".repeat(indent)}${close}`;
}

function isMany(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length > 1;
}

function nameOf(name: string): string {
  return /^[a-zA-Z_]\w*$/.test(name) ? name : JSON.stringify(name);
}

/**
 * Goal: the pictures say what the machines do: none is stale, and none loses or breaks anything.
 * Method: generate in memory and compare with what is committed; read each format back with the
 * tool it is meant for, or the steps that the tool takes.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import * as xstate from "xstate";
import { roles } from "../../actors/index.js";
import { chartFiles, fillReadme } from "../../src/charts/files.js";
import { type ChartState, namesOf, readChart, statesOf } from "../../src/charts/ir.js";
import { chartConfig, chartJson } from "../../src/charts/json.js";
import { chartMermaid, mermaidId } from "../../src/charts/mermaid.js";
import { messageTables, readMessageDocs } from "../../src/charts/messages.js";
import { stateTable, transitionTable } from "../../src/charts/table.js";
import { chartModule } from "../../src/charts/xstate.js";
import { VERBS } from "../../src/paxos/wire/verbs.js";
import { root } from "../house/sources.js";

const BYTES_MAX = 20_000;
const RERUN = "run `npm run charts`";
const all = Object.values(roles).map((role) => [role.name, role.machine] as const);
const read = (path: string) => readFileSync(join(root, path), "utf8");
const messages = read("src/paxos/wire/messages.ts");

/** A chart with everything that the pictures must cope with. */
const odd = xstate.createMachine({
  id: "odd",
  description: "A chart | with odd names.",
  entry: "wake",
  initial: "first",
  on: { "stop.now": ".end", ping: {}, look: { actions: "peek" } },
  states: {
    first: {
      description: "Two\nlines.",
      entry: ["say", "note"],
      exit: "leave",
      on: {
        go: [{ guard: "a: b; c#", target: "box.second" }, { target: "box" }],
        again: { target: "first", reenter: true },
        same: "first",
      },
      after: { pause: { guard: "isLate", target: "sides", actions: "count" } },
    },
    box: {
      initial: "one",
      on: { next: ".second", out: "first", quiet: { actions: "note" } },
      states: {
        one: { on: { up: "second" } },
        second: { on: { leave: "#odd.end", top: "#odd.box" } },
      },
    },
    sides: { type: "parallel", states: { left: {}, right: { on: { go: "#odd.first" } } } },
    end: { type: "final" },
  },
});

describe("what is committed", () => {
  const files = chartFiles();

  it.each(files.map((file) => [file.path, file] as const))(
    "%s is fresh and small",
    (path, file) => {
      expect(read(path), RERUN).toBe(file.text);
      expect(Buffer.byteLength(file.text)).toBeLessThanOrEqual(BYTES_MAX);
    },
  );

  it("actors/README.md is fresh", () => {
    const readme = read("actors/README.md");
    expect(readme, RERUN).toBe(fillReadme(readme, messages));
  });

  it("has no picture of a role that is gone", () => {
    const found = readdirSync(join(root, "actors"), { recursive: true, encoding: "utf8" })
      .filter((path) => /chart\.\w+$/.test(path))
      .map((path) => `actors/${path.replaceAll("\\", "/")}`);
    expect(found.sort()).toEqual(files.map(({ path }) => path).sort());
  });

  it("refuses a README that lost a marker", () => {
    const readme = read("actors/README.md").replace("<!-- /messages -->", "");
    expect(() => fillReadme(readme, messages)).toThrow("<!-- messages -->");
  });

  it("keeps what people wrote around the markers", () => {
    const parts = ["roles", "messages", "charts"].map((m) => `<!-- ${m} -->old<!-- /${m} -->`);
    const filled = fillReadme(`above\n${parts.join("\nbetween\n")}\nbelow`, messages);
    expect(filled).toMatch(/^above\n<!-- roles -->\n\n\| role/);
    expect(filled).toMatch(/<!-- \/roles -->\nbetween\n<!-- messages -->\n\n\*\*/);
    expect(filled).toMatch(/\n\n<!-- \/charts -->\nbelow$/);
    expect(filled).not.toContain("old<");
  });
});

describe.each(all)("%s as JSON", (_, machine) => {
  it("loses nothing but the context", () => {
    const { context, schemas, ...config } = machine.config as Record<string, unknown>;
    expect(JSON.parse(chartJson(machine))).toStrictEqual(config);
    expect([typeof context, schemas]).toEqual(["function", undefined]);
  });

  it("is a chart of the same states and transitions for XState", () => {
    const copy = xstate.createMachine(JSON.parse(chartJson(machine)));
    const original = xstate.createMachine(chartConfig(machine));
    expect(JSON.stringify(copy)).toBe(JSON.stringify(original));
    expect(readChart(copy.config)).toEqual(readChart(machine.config));
  });
});

describe.each(all)("%s as a module", (name, machine) => {
  const text = chartModule(machine);

  it("imports only xstate", () => {
    const imported = ts.preProcessFile(text).importedFiles.map(({ fileName }) => fileName);
    expect(imported).toEqual(["xstate"]);
  });

  it("runs as Stately Sketch runs it: the same chart, every name with a stub", () => {
    const copy = sketch(text);
    expect(readChart(copy.config)).toEqual(readChart(machine.config));
    const { actions, guards, delays } = copy.implementations;
    expect({
      actions: Object.keys(actions).sort(),
      guards: Object.keys(guards).sort(),
      delays: Object.keys(delays).sort(),
    }).toEqual(namesOf(readChart(machine.config)));
  });

  it("comes to rest in its first state and steps from there", () => {
    const copy = sketch(text);
    const actor = xstate.createActor(copy, { clock: new xstate.SimulatedClock() }).start();
    const chart = readChart(copy.config);
    expect(actor.getSnapshot().matches(chart.initial ?? "")).toBe(true);
    const clock = actor.clock as xstate.SimulatedClock;
    for (const event of copy.events) actor.send({ type: event });
    clock.increment(5000);
    expect(actor.getSnapshot().status, name).toBe("active");
  });
});

it("a stub module of odd names runs, too", () => {
  const copy = sketch(chartModule(odd));
  expect(readChart(copy.config)).toEqual(readChart(odd.config));
  const [start] = xstate.initialTransition(copy);
  expect(xstate.transition(copy, start, { type: "go" })[0].value).toEqual({ box: "second" });
});

describe.each([...all, ["odd", odd] as const])("%s as Mermaid", (_, machine) => {
  const chart = readChart(machine.config);
  const lines = chartMermaid(chart).trimEnd().split("\n");

  it("is made of lines that Mermaid knows, every block closed", () => {
    expect(lines[0]).toBe("stateDiagram-v2");
    expect(unread(lines)).toEqual([]);
  });

  it("shows every state, event, guard and action", () => {
    const text = lines.join("\n");
    const { actions, guards } = namesOf(chart);
    const states = statesOf(chart).slice(1);
    const names = [...actions, ...guards, ...states.map((state) => state.name)];
    for (const part of names.flatMap((name) => name.split(/[;:#]/))) expect(text).toContain(part);
    expect(arrowsFrom(lines)).toBe(arrowsOf(chart));
  });
});

describe("Mermaid", () => {
  const text = chartMermaid(readChart(odd.config));

  it("draws arrows in the innermost box that holds both ends", () => {
    const box = /state "box" as box \{\n([\s\S]*?)\n {2}\}/.exec(text)?.[1] ?? "";
    expect(box).toContain("box_one --> box_second : up");
    expect(box).not.toContain("end_");
    expect(text).toContain("\n  box_second --> end_ : leave");
  });

  it("writes what leads into its own box, and out of it, as text", () => {
    expect(text).toContain("• next → box.second");
    expect(text).toContain("box_second : top → box");
    expect(text).not.toMatch(/^\s*box --> box_second/m);
  });

  it("writes what stays: entries, exits, ignored events, self-transitions", () => {
    const expected = ["entry / say, note", "exit / leave", "again → anew", "same"];
    for (const line of expected) expect(text).toContain(`first : ${line}\n`);
    for (const line of ["at the start / wake", "ping (ignored)", "stop.now → end"]) {
      expect(text).toContain(`• ${line}\n`);
    }
  });

  it("takes what would end a label out of it, and reserved words out of ids", () => {
    expect(text).toContain("first --> box_second : go [a  b  c ]");
    expect(["end", "note", "a.b-c"].map(mermaidId)).toEqual(["end_", "note_", "a_b_c"]);
    expect(text).toContain("end_ --> [*]");
  });
});

describe("the tables", () => {
  const chart = readChart(odd.config);

  it("have one row for each transition, entry and exit, with as many cells as the head", () => {
    const states = statesOf(chart);
    const rows = states.flatMap((s) => [...s.entry, ...s.exit, ...s.transitions]).length;
    const table = transitionTable(chart).split("\n");
    expect(table).toHaveLength(rows + 2);
    for (const line of [...table, ...stateTable(chart).split("\n")]) {
      expect(line.split(/(?<!\\)\|/)).toHaveLength(
        line.startsWith("| state | why") ? 6 : cells(line),
      );
    }
    expect(table).toContain("| first | `go` | `a: b; c#` |  | box.second |");
    expect(table).toContain("| first | `again` |  |  | first, anew |");
    expect(table).toContain("| (any) | `ping` |  | nothing |  |");
    expect(table).toContain("| first | after pause | `isLate` | `count` | sides |");
    expect(stateTable(chart)).toContain("| first | Two lines. |");
  });
});

describe("the messages", () => {
  const docs = readMessageDocs(messages);

  it("are those of the code, each with the comment that the compiler finds", () => {
    expect(docs.map(({ verb, doc }) => [verb, doc])).toEqual(documentedMessages());
    expect(docs.map(({ verb }) => verb).sort()).toEqual(Object.keys(VERBS).sort());
  });

  it("stand under the headings of the code, with who hears them", () => {
    const tables = messageTables(docs);
    expect(tables).toMatch(/^\*\*Single-decree Synod\*\*\n\n\| verb \| who hears it/);
    expect(tables).toMatch(/\| `key-prepare` \| acceptor \| Phase 1a of one key\./);
    expect(tables).toMatch(/\| `decide` \| one synod-proposer \|/);
    expect(tables).toMatch(/\| `beacon` \|[^|]*acceptor \(told to learner\)/);
    expect(tables).toMatch(/\| `hello` \| every process/);
  });
});

describe("a configuration that a picture could not show", () => {
  it.each([
    [{ invoke: { src: "child" } }, "invoke cannot be drawn"],
    [{ states: { a: { type: "history" } } }, "history"],
    [{ on: { go: { target: [".a", ".b"] } } }, "several states"],
    [{ on: { go: { actions: () => {} } } }, "has no name"],
    [{ on: { go: { description: "why", params: {} } } }, "params cannot be drawn"],
  ])("is refused: %j", (config, message) => {
    expect(() => readChart(config)).toThrow(message);
  });
});

/** What Stately Sketch does with pasted code: src/lib/machine.ts in github.com/statelyai/sketch. */
function sketch(code: string): xstate.AnyStateMachine {
  const { outputText, diagnostics } = ts.transpileModule(code, {
    reportDiagnostics: true,
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  });
  expect(diagnostics).toEqual([]);
  const stripped = outputText
    .replace(/import\s*\{[^}]*\}\s*from\s*['"]xstate['"]\s*;?/g, "")
    .replace(/^\s*export\s+(const|let|var|function|class)\b/gm, "$1");
  const machines: xstate.AnyStateMachine[] = [];
  const setup: typeof xstate.setup = (options) => {
    const made = xstate.setup(options);
    const createMachine = ((config: never) => {
      const machine = made.createMachine(config) as unknown as xstate.AnyStateMachine;
      machines.push(machine);
      return machine;
    }) as unknown as typeof made.createMachine;
    return { ...made, createMachine };
  };
  new Function("setup", "createMachine", "assign", "raise", stripped)(setup);
  expect(machines).toHaveLength(1);
  return machines[0] as xstate.AnyStateMachine;
}

/** Lines that are none of the statements we know Mermaid to read, and blocks left open. */
function unread(lines: readonly string[]): string[] {
  const open: string[] = [];
  const strange = lines.slice(1).filter((line) => {
    const text = line.trim();
    if (line !== `${"  ".repeat(open.length + (/^(?:\}|end note)$/.test(text) ? 0 : 1))}${text}`)
      return true;
    if (open.at(-1) === "note") {
      if (text === "end note") open.pop();
      return /[;#]/.test(text);
    }
    if (/^note left of \w+$/.test(text)) open.push("note");
    else if (/^state "[\w-]+" as \w+ \{$/.test(text)) open.push("state");
    else if (text === "}" && open.at(-1) === "state") open.pop();
    else
      return !/^(?:--|(?:\[\*\]|\w+) --> (?:\[\*\]|\w+)(?: : [^:;#]+)?|\w+ : [^:;#]+)$/.test(text);
    return false;
  });
  return [...strange, ...open];
}

/** How many transitions the arrows between states stand for. */
function arrowsFrom(lines: readonly string[]): number {
  return lines
    .filter((line) => /\w --> \w/.test(line))
    .reduce((count, line) => count + line.split("<br>").length, 0);
}

function arrowsOf(chart: ChartState): number {
  const inside = (a: string, b: string) => a === "" || b === a || b.startsWith(`${a}.`);
  return statesOf(chart)
    .flatMap((state) => state.transitions)
    .filter(({ from, to }) => to !== null && !inside(from, to) && !inside(to, from)).length;
}

function cells(line: string): number {
  return line.split(/(?<!\\)\|/).length;
}

/** Verb and first paragraph of the comment of every message, as the compiler reads them. */
function documentedMessages(): string[][] {
  const file = ts.createSourceFile("messages.ts", messages, ts.ScriptTarget.Latest, true);
  return file.statements.filter(ts.isInterfaceDeclaration).flatMap((declared) => {
    const field = declared.members.find((m) => m.name?.getText() === "type");
    if (field === undefined || !ts.isPropertySignature(field)) return [];
    const verb = /"([\w-]+)"/.exec(field.type?.getText() ?? "")?.[1] ?? "";
    const [comment] = ts.getJSDocCommentsAndTags(declared);
    const text = ts.getTextOfJSDocComment((comment as ts.JSDoc | undefined)?.comment);
    const words = text?.split("\n\n")[0] ?? "";
    return [[verb, words.replaceAll(/\s+/g, " ")]];
  });
}

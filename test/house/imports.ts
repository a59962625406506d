import { posix } from "node:path";
import ts from "typescript";
import { type Finding, lineOf, type SourceText, walk } from "./sources.js";

/**
 * One row of the table: what the files of a folder may import.
 *
 * `files` and `may` are paths. One that ends in `/` is a folder, one that ends in `/.` is the files
 * of a folder without those below it; any other is a module (or the folder of that name), without
 * extension. In `files`, `*` is one path part; in `may`, `{1}` is
 * what the first `*` stood for. Whatever is not a path in `may` is a package, with its subpaths;
 * `node:` is every built-in, `*` every package.
 */
export interface Row {
  readonly files: string;
  readonly may: readonly string[];
  /** Paths among those of `may` that are forbidden all the same. */
  readonly never?: readonly string[];
  /** Packages of `may` of which only these names may be imported as values. */
  readonly only?: Readonly<Record<string, readonly string[]>>;
}

const everywhere = ["src/", "actors/"];
/** Things that are broken on purpose: nothing that serves anybody may reach them. */
const broken = ["src/sim/broken/"];
/** A chart is written with these; an operator of XState that decides belongs into a rule. */
const chartWords = { xstate: ["setup", "assign", "raise", "assertEvent"] };

/** The nouns of the protocol, and what is said and stored of them: what everybody may know. */
const nouns = "src/paxos/.";
const wire = "src/paxos/wire/";
const consensus = ["src/paxos/consensus/", "src/paxos/single/"];

/** What a world without a real clock, disk or network is built of. */
const deterministic = [
  "src/paxos/",
  "src/kernel/",
  "src/trace/",
  "src/judge/",
  "actors/index",
  "src/replicated/",
  "src/client/",
  "src/adapters/memory/",
  "src/adapters/msgpackr/",
];

/** Who may import whom. The first row that fits a file is the one that counts. */
export const table: readonly Row[] = [
  // The rules, downwards: nouns ← wire ← consensus, single ← log ← clients ← proof.
  { files: "src/paxos/wire/", may: [nouns, wire] },
  { files: "src/paxos/consensus/", may: [nouns, wire, "src/paxos/consensus/"] },
  { files: "src/paxos/single/", may: [nouns, wire, "src/paxos/single/"] },
  { files: "src/paxos/log/", may: [nouns, wire, ...consensus, "src/paxos/log/"] },
  {
    files: "src/paxos/clients/",
    may: [nouns, wire, ...consensus, "src/paxos/log/", "src/paxos/clients/"],
  },
  { files: "src/paxos/proof/", may: ["src/paxos/"] },
  { files: "src/paxos/", may: [nouns] },

  // XState is kept behind four files of the kernel, so that its next version touches nothing else.
  ...["step", "compiler", "table", "role"].map((file) => ({
    files: `src/kernel/${file}`,
    may: [nouns, wire, "src/kernel/", "xstate"],
  })),
  { files: "src/kernel/", may: [nouns, wire, "src/kernel/"] },

  // Observers that know Paxos: they see what the kernel shows any observer.
  {
    files: "src/trace/",
    may: [
      "src/trace/",
      "src/paxos/",
      "src/kernel/observer",
      "src/kernel/effect",
      "src/kernel/role",
      "src/kernel/step",
      "src/kernel/store/store",
    ],
  },
  // It judges what others wrote, so it knows none of them.
  { files: "src/judge/", may: ["src/judge/"] },

  // Services use the ports of the process.
  { files: "actors/*/services", may: ["actors/{1}/", "src/paxos/", "src/kernel/"] },
  {
    files: "actors/*/",
    may: [
      "actors/{1}/",
      "src/paxos/",
      "src/kernel/effect",
      "src/kernel/role",
      "src/kernel/show",
      "xstate",
    ],
    only: chartWords,
  },
  // The registry, which alone knows every role, and the doors they open (ports: what comes in).
  {
    files: "actors/",
    may: [
      "actors/",
      "src/paxos/",
      "src/kernel/effect",
      "src/kernel/role",
      "src/kernel/ports",
      "xstate",
    ],
    only: chartWords,
  },

  // Adapters: the ports they serve, the shapes they carry, their own package, never each other.
  {
    files: "src/adapters/nats/",
    may: ["src/adapters/nats/", "src/kernel/ports", nouns, wire, "nats", "node:"],
  },
  {
    files: "src/adapters/msgpackr/",
    may: [
      "src/adapters/msgpackr/",
      "src/kernel/ports",
      nouns,
      wire,
      "msgpackr",
      "@sinclair/typebox",
      "node:",
    ],
  },
  // A data folder is a disk with the store rules on top, so it makes and opens stores.
  {
    files: "src/adapters/lmdb/",
    may: [
      "src/adapters/lmdb/",
      "src/kernel/ports",
      "src/kernel/store/store",
      "src/kernel/store/move",
      "src/kernel/store/refusal",
      nouns,
      wire,
      "lmdb",
      "node:",
    ],
  },
  {
    files: "src/adapters/pino/",
    may: ["src/adapters/pino/", "src/kernel/ports", nouns, wire, "pino", "node:"],
  },
  // What Node itself gives: time and randomness.
  { files: "src/adapters/node/", may: ["src/adapters/node/", "src/kernel/ports", "node:"] },
  // Deterministic twins: no package, and no built-in that could smuggle in a clock.
  {
    files: "src/adapters/memory/",
    may: ["src/adapters/memory/", "src/kernel/ports", nouns, wire],
  },

  { files: "src/broker/", may: ["src/broker/", "node:"] },
  { files: "src/replicated/", may: ["src/replicated/", "src/paxos/"] },
  // The whole of src/kernel: a client runs its session chart with the kernel. It writes histories
  // in the format of their judge.
  {
    files: "src/client/",
    may: [
      "src/client/",
      "src/paxos/",
      "src/kernel/",
      "actors/session/",
      "src/replicated/",
      "src/judge/format",
    ],
  },
  // Negative controls put a broken action or guard into a chart, so they write some.
  {
    files: "src/sim/broken/",
    may: ["src/sim/", ...deterministic, "actors/", "xstate"],
    only: chartWords,
  },
  // The simulator: world ← plan ← faults; world ← monitor; a run has all of them.
  {
    files: "src/sim/world/",
    may: ["src/sim/world/", ...deterministic, "actors/session/services"],
  },
  // Where roles run is one thing, in a worker and in the simulator.
  {
    files: "src/sim/plan/",
    may: ["src/sim/plan/", "src/sim/world/", ...deterministic, "src/worker/placement"],
  },
  {
    files: "src/sim/faults/",
    may: ["src/sim/faults/", "src/sim/plan/", "src/sim/world/", ...deterministic],
  },
  {
    files: "src/sim/monitor/",
    may: ["src/sim/monitor/", "src/sim/world/", ...deterministic],
  },
  { files: "src/sim/", may: ["src/sim/", ...deterministic, "actors/acceptor/services"] },
  { files: "src/lab/", may: ["src/lab/", ...deterministic] },

  // The one file of src/charts that touches a disk: `npm run charts`.
  { files: "src/charts/write", may: ["src/charts/", "actors/index", "node:"] },
  {
    files: "src/charts/",
    may: ["src/charts/", "actors/index", "src/paxos/wire/verbs", "xstate"],
    only: { xstate: [] },
  },

  // Composition: every folder of ours; packages only where they are that folder's business.
  {
    files: "src/worker/",
    may: [...everywhere, "node:", "yaml", "@sinclair/typebox"],
    never: broken,
  },
  // The two commands that look for what is broken, and the threads of one of them.
  { files: "src/cli/sim", may: [...everywhere, "node:", "commander"] },
  { files: "src/cli/sim-hunter", may: [...everywhere, "node:"] },
  { files: "src/cli/explore", may: [...everywhere, "node:", "commander"] },
  { files: "src/cli/", may: [...everywhere, "node:", "commander"], never: broken },
  { files: "src/inspector/", may: [...everywhere, "node:"], never: broken },
  { files: "src/index", may: everywhere, never: broken },
  { files: "test/", may: [...everywhere, "test/", "node:", "*"] },
];

/** An import as a file writes it. `names` are the values it takes; `*` is the whole module. */
interface Import {
  readonly specifier: string;
  readonly names: readonly string[];
  readonly line: number;
}

/** Finds every import of a file that the table does not allow. */
export function checkImports(source: SourceText, rows = table): Finding[] {
  const found = rows
    .map((row) => ({ row, star: starOf(row.files, source.path) }))
    .find(({ star }) => star !== undefined);
  if (found?.star === undefined) {
    return [{ path: source.path, line: 0, message: "no row of the import table fits this file" }];
  }
  const { row, star } = found;
  const may = row.may.map((entry) => entry.replaceAll("{1}", star));
  const fitting = { ...row, may };
  return importsOf(source).flatMap(({ specifier, names, line }) => {
    const message = refusal(source.path, specifier, names, fitting);
    return message === undefined ? [] : [{ path: source.path, line, message }];
  });
}

function refusal(
  path: string,
  specifier: string,
  names: readonly string[],
  { may, never = [], only = {} }: Row,
): string | undefined {
  if (specifier === computed) {
    return may.includes("src/") ? undefined : "must name what it imports in a plain string";
  }
  if (specifier.startsWith(".")) {
    const target = moduleName(posix.join(posix.dirname(path), specifier));
    const isAllowed =
      may.some((entry) => holds(entry, target)) && !never.some((entry) => holds(entry, target));
    return isAllowed ? undefined : `must not import ${target}`;
  }
  const entry = may.find((e) => isPackage(e) && holdsPackage(e, specifier));
  if (entry === undefined) return `must not import ${specifier}`;
  const bad = names.filter((name) => only[entry]?.includes(name) === false);
  return bad.length === 0 ? undefined : `must not import ${bad.join(", ")} of ${specifier}`;
}

/** What `*` stood for if a row's `files` fits a path (empty without `*`), else undefined. */
function starOf(files: string, path: string): string | undefined {
  const star = files.includes("*") ? /^actors\/([^/]+)\//.exec(path)?.[1] : "";
  if (star === undefined) return undefined;
  return holds(files.replace("*", star), moduleName(path)) ? star : undefined;
}

function holds(entry: string, target: string): boolean {
  if (entry.endsWith("/.")) return posix.dirname(target) === posix.dirname(entry);
  if (entry.endsWith("/")) return target.startsWith(entry);
  return target === entry || target.startsWith(`${entry}/`);
}

function isPackage(entry: string): boolean {
  return !/^(?:src|actors|test)\//.test(entry);
}

function holdsPackage(entry: string, specifier: string): boolean {
  if (entry === "*") return !specifier.startsWith("node:");
  if (entry === "node:") return specifier.startsWith("node:");
  return specifier === entry || specifier.startsWith(`${entry}/`);
}

function moduleName(path: string): string {
  return path.replace(/\.(?:js|ts|mjs|mts)$/, "");
}

/** Returns the modules of ours that a module imports, and all that these import. */
export function reach(module: string, tree: readonly SourceText[]): ReadonlySet<string> {
  const sources = new Map(tree.map((source) => [moduleName(source.path), source]));
  const reached = new Set<string>();
  const waiting = [module];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const source = sources.get(next);
    if (reached.has(next) || source === undefined) continue;
    reached.add(next);
    waiting.push(...ours(source));
  }
  return reached;
}

/**
 * Finds files that import each other, as values or types, two of them or more in a ring: the
 * shortest ring through each file, each ring once.
 */
export function importRings(tree: readonly SourceText[]): Finding[] {
  const imports: ImportGraph = new Map(
    tree.map((source) => [moduleName(source.path), ours(source)]),
  );
  const found = new Map<string, Finding>();
  for (const start of imports.keys()) {
    const ring = shortestRing(imports, start);
    const files = [...ring].sort().join();
    if (ring.length === 0 || found.has(files)) continue;
    const message = `imports itself: ${[...ring, start].join(" > ")}`;
    found.set(files, { path: `${start}.ts`, line: 0, message });
  }
  return [...found.values()];
}

/** The modules of ours that each module imports. */
type ImportGraph = ReadonlyMap<string, readonly string[]>;

function ours(source: SourceText): string[] {
  const own = importsOf(source).filter(({ specifier }) => specifier.startsWith("."));
  const folder = posix.dirname(source.path);
  return own.map(({ specifier }) => moduleName(posix.join(folder, specifier)));
}

/** The shortest way from a module back to itself; empty if there is none. */
function shortestRing(imports: ImportGraph, start: string): readonly string[] {
  const seen = new Set<string>();
  let ways: (readonly string[])[] = [[start]];
  while (ways.length > 0) {
    const longer: (readonly string[])[] = [];
    for (const way of ways) {
      for (const next of imports.get(way.at(-1) as string) ?? []) {
        if (next === start) return way;
        if (seen.has(next)) continue;
        seen.add(next);
        longer.push([...way, next]);
      }
    }
    ways = longer;
  }
  return [];
}

/** Stands for a specifier that is only known when the program runs. */
const computed = "(computed)";

/** Every import of a file: static, re-exported, dynamic, in a type, required, referenced. */
function importsOf(source: SourceText): Import[] {
  const found: Import[] = [];
  walk(source, (node) => {
    const add = (specifier: ts.Node | undefined, names: readonly string[]): void => {
      const text =
        specifier !== undefined && ts.isStringLiteralLike(specifier) ? specifier.text : computed;
      found.push({ specifier: text, names, line: lineOf(source, node) });
    };
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, valuesOf(node.importClause));
    else if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
      add(node.moduleSpecifier, exportedValues(node));
    } else if (ts.isExternalModuleReference(node)) add(node.expression, ["*"]);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node.argument.literal, []);
    } else if (ts.isCallExpression(node) && loads(node)) add(node.arguments[0], ["*"]);
    else if (ts.isSourceFile(node)) {
      for (const { fileName } of [...node.typeReferenceDirectives, ...node.referencedFiles]) {
        found.push({ specifier: fileName, names: [], line: 1 });
      }
    }
  });
  return found;
}

function loads(call: ts.CallExpression): boolean {
  const { expression } = call;
  if (expression.kind === ts.SyntaxKind.ImportKeyword) return true;
  return ts.isIdentifier(expression) && expression.text === "require";
}

function valuesOf(clause: ts.ImportClause | undefined): string[] {
  if (clause === undefined) return ["*"]; // imported for what loading it does
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return [];
  const names = clause.name === undefined ? [] : ["default"];
  const bindings = clause.namedBindings;
  if (bindings === undefined) return names;
  if (ts.isNamespaceImport(bindings)) return [...names, "*"];
  const values = bindings.elements.filter((element) => !element.isTypeOnly);
  return [...names, ...values.map(({ propertyName, name }) => (propertyName ?? name).text)];
}

function exportedValues(node: ts.ExportDeclaration): string[] {
  if (node.isTypeOnly) return [];
  if (node.exportClause === undefined || ts.isNamespaceExport(node.exportClause)) return ["*"];
  return node.exportClause.elements
    .filter((element) => !element.isTypeOnly)
    .map(({ propertyName, name }) => (propertyName ?? name).text);
}

import { posix } from "node:path";
import ts from "typescript";
import { type Row, table } from "./import-table.js";
import { type Finding, lineOf, type SourceText, walk } from "./sources.js";

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

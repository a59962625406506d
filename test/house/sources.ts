import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

/** A text file of the repository; `path` is relative to its root, with forward slashes. */
export interface SourceText {
  readonly path: string;
  readonly text: string;
}

/** A rule broken at a place. `line` counts from 1; 0 means the whole file or folder. */
export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

/** The root of the repository on this machine. */
export const root = join(import.meta.dirname, "../..");

/** What lies at the top level without being part of the repository: see .gitignore. */
const untracked = [/^\.git$/, /^node_modules$/, /^dist$/, /^\.synod$/, /\.log$/];
const textFile = /(?:\.(?:ts|mjs|json|md|txt|ya?ml|conf|html|css|svg|mermaid|mmd)|^\.?[\w/]+)$/;

/** Names of the files and folders at the top level, without those that git ignores. */
export function topLevel(): string[] {
  return readdirSync(root).filter((name) => !untracked.some((pattern) => pattern.test(name)));
}

/** Paths of every file under `folder`, relative to the root; none if there is no such folder. */
function filesUnder(folder: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => !path.split("/").some((name) => untracked.some((p) => p.test(name))))
    .sort();
}

/** Reads every text file of the repository. */
export function readTree(): SourceText[] {
  const paths = topLevel().flatMap((name) => {
    const below = filesUnderOrItself(name);
    return below.filter((path) => textFile.test(path) && path !== "package-lock.json");
  });
  return paths.map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
}

function filesUnderOrItself(name: string): string[] {
  const entry = readdirSync(root, { withFileTypes: true }).find((e) => e.name === name);
  return entry?.isDirectory() ? filesUnder(name) : [name];
}

/** Whether a path is code of ours: TypeScript or a module script in src/, actors/ or test/. */
export function isCode(path: string): boolean {
  return /^(?:src|actors|test)\/.*\.(?:ts|mjs)$/.test(path);
}

/** Whether a path is a test or serves tests only. */
export function isTest(path: string): boolean {
  return path.startsWith("test/");
}

const parsed = new WeakMap<SourceText, ts.SourceFile>();

/** Parses a file, once. */
export function parse(source: SourceText): ts.SourceFile {
  const known = parsed.get(source);
  if (known !== undefined) return known;
  const file = ts.createSourceFile(source.path, source.text, ts.ScriptTarget.Latest, true);
  parsed.set(source, file);
  return file;
}

/** Calls `visit` for every node of a file, parents first. */
export function walk(source: SourceText, visit: (node: ts.Node) => void): void {
  const enter = (node: ts.Node): void => {
    visit(node);
    ts.forEachChild(node, enter);
  };
  enter(parse(source));
}

/** The line a node begins on, counted from 1; its doc comment is not part of it. */
export function lineOf(source: SourceText, node: ts.Node): number {
  return lineAt(source, node.getStart(parse(source)));
}

/** The line of a character offset, counted from 1. */
export function lineAt(source: SourceText, offset: number): number {
  return parse(source).getLineAndCharacterOfPosition(offset).line + 1;
}

/** Writes findings as `path:line message`, one a line, the way editors make links of them. */
export function report(findings: readonly Finding[]): string {
  return findings.map((f) => `${f.path}:${f.line} ${f.message}`).join("\n");
}

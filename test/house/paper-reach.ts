/**
 * Which rules of `src/paxos` a piece of code comes to, found by the compiler and not by name: a
 * bench's method, a helper of a test and an action of a chart are followed to what they call.
 */
import { join, relative } from "node:path";
import ts from "typescript";
import { root } from "./sources.js";

/** A function or constant of `src/paxos`: its name, and the path of its file. */
export interface RuleRef {
  readonly name: string;
  readonly path: string;
}

/** A rule, and through how many calls of helpers a piece of code comes to it; 0 is its own text. */
export interface Reached extends RuleRef {
  readonly depth: number;
}

const rulesFolder = "src/paxos/";
const packages = join(root, "node_modules");
const ownLibrary = join(packages, "typescript/lib");
const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  lib: ["lib.es2023.d.ts"],
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  strict: true,
  noEmit: true,
  types: [],
};
const parsed = new Map<string, ts.SourceFile | undefined>();

/** The code that is followed, with the types that tell what a method is. */
export class Sources {
  readonly #program: ts.Program;
  readonly #checker: ts.TypeChecker;
  readonly #used = new Map<ts.Node, readonly ts.Declaration[]>();

  /**
   * @param paths where to begin; what they import comes with them, packages apart
   * @param texts read instead of the files of these paths
   */
  constructor(paths: readonly string[], texts: ReadonlyMap<string, string> = new Map()) {
    const files = paths.map((path) => join(root, path));
    this.#program = ts.createProgram(files, options, hostOf(texts));
    this.#checker = this.#program.getTypeChecker();
  }

  /** @throws Error if there is no such file among these sources */
  file(path: string): ts.SourceFile {
    const file = this.#program.getSourceFile(join(root, path));
    if (file === undefined) throw new Error(`${path}: not among the sources`);
    return file;
  }

  /**
   * The rules that code comes to, nearest first. Calls are followed into files whose path begins
   * with one of `through`; so a rule is where the way ends, unless `src/paxos/` is among them.
   */
  rulesIn(code: ts.Node, through: readonly string[]): readonly Reached[] {
    const found = new Map<string, Reached>();
    const seen = new Set<ts.Node>([code]);
    let level: readonly ts.Node[] = [code];
    for (let depth = 0; level.length > 0; depth++) {
      const next: ts.Node[] = [];
      for (const declaration of level.flatMap((node) => this.#usedIn(node))) {
        const rule = ruleOf(declaration);
        const key = `${rule?.path}#${rule?.name}`;
        if (rule !== null && !found.has(key)) found.set(key, { ...rule, depth });
        const isFollowed = through.some((folder) => pathOf(declaration).startsWith(folder));
        const body = isFollowed ? bodyOf(declaration) : null;
        if (body === null || seen.has(body)) continue;
        seen.add(body);
        next.push(body);
      }
      level = next;
    }
    return [...found.values()];
  }

  /** What the names in a piece of code stand for; types do nothing, so they are left out. */
  #usedIn(code: ts.Node): readonly ts.Declaration[] {
    const known = this.#used.get(code);
    if (known !== undefined) return known;
    const used: ts.Declaration[] = [];
    const enter = (node: ts.Node): void => {
      if (ts.isTypeNode(node)) return;
      if (ts.isIdentifier(node) || ts.isPrivateIdentifier(node)) used.push(...this.#meant(node));
      ts.forEachChild(node, enter);
    };
    if (ts.isClassLike(code)) for (const part of code.members.filter(runsAtNew)) enter(part);
    else enter(code);
    this.#used.set(code, used);
    return used;
  }

  #meant(name: ts.Node): readonly ts.Declaration[] {
    const isShort = ts.isShorthandPropertyAssignment(name.parent) && name.parent.name === name;
    const symbol = isShort
      ? this.#checker.getShorthandAssignmentValueSymbol(name.parent)
      : this.#checker.getSymbolAtLocation(name);
    if (symbol === undefined) return [];
    const isAlias = (symbol.flags & ts.SymbolFlags.Alias) !== 0;
    return (isAlias ? this.#checker.getAliasedSymbol(symbol) : symbol).declarations ?? [];
  }
}

/** Reads files from the tree; of the packages only the language's own types. */
function hostOf(texts: ReadonlyMap<string, string>): ts.CompilerHost {
  const host = ts.createCompilerHost(options, true);
  const read = host.getSourceFile.bind(host);
  host.getSourceFile = (name, version) => {
    const text = texts.get(relative(root, name));
    if (text !== undefined) return ts.createSourceFile(name, text, version, true);
    if (name.startsWith(packages) && !name.startsWith(ownLibrary)) return undefined;
    if (!parsed.has(name)) parsed.set(name, read(name, version));
    return parsed.get(name);
  };
  return host;
}

function pathOf(node: ts.Node): string {
  return relative(root, node.getSourceFile().fileName).replaceAll("\\", "/");
}

/** The rule that a declaration is: an exported function or constant, or a limit. */
function ruleOf(declaration: ts.Declaration): RuleRef | null {
  const path = pathOf(declaration);
  if (!path.startsWith(rulesFolder)) return null;
  const isLimit = ts.isPropertySignature(declaration) && path === `${rulesFolder}limits.ts`;
  const isRule =
    (ts.isFunctionDeclaration(declaration) || isTopLevelConstant(declaration)) &&
    (ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Export) !== 0;
  const name = ts.getNameOfDeclaration(declaration);
  return (isLimit || isRule) && name !== undefined ? { name: name.getText(), path } : null;
}

function isTopLevelConstant(node: ts.Node): node is ts.VariableDeclaration {
  return ts.isVariableDeclaration(node) && ts.isSourceFile(node.parent.parent.parent);
}

/** What runs when a declaration is used; null if nothing does, or its parts are used one by one. */
function bodyOf(declaration: ts.Declaration): ts.Node | null {
  if (ts.isVariableDeclaration(declaration) || ts.isPropertyAssignment(declaration)) {
    const { initializer } = declaration;
    return initializer === undefined || ts.isObjectLiteralExpression(initializer)
      ? null
      : initializer;
  }
  const runs = ts.isFunctionLike(declaration) || ts.isClassLike(declaration);
  return runs || ts.isPropertyDeclaration(declaration) ? declaration : null;
}

/** Whether a member of a class runs when one is made. */
function runsAtNew(member: ts.ClassElement): boolean {
  return ts.isConstructorDeclaration(member) || ts.isPropertyDeclaration(member);
}

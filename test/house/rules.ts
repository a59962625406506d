import ts from "typescript";
import {
  type Finding,
  isCode,
  isTest,
  lineAt,
  lineOf,
  parse,
  type SourceText,
  walk,
} from "./sources.js";

/** A tidy rule over one file: pure, and silent about files it does not concern. */
export type Rule = (source: SourceText) => Finding[];

/** A length that a file or function may have although the rule says less, and why. */
export interface Allowance {
  /** `path` of a file, or `path#name` of a function. */
  readonly of: string;
  /** The most lines it may have: it may shrink, not grow. */
  readonly lines: number;
  readonly reason: string;
}

/** Lines, columns. */
const fileLinesMax = 400;
const functionLinesMax = 70;
const columnsMax = 100;

/** Longer files and functions that we accept. An entry that is no longer needed fails the test. */
const allowances: readonly Allowance[] = [
  {
    of: "src/paxos/wire/messages.ts",
    lines: 580,
    reason: "every flow and every message on one page is what this file is for",
  },
  {
    of: "src/adapters/memory/transport.ts",
    lines: 430,
    reason: "one connection: what cuts it, what it loses and what it renews belong together",
  },
];

/** Folders where one unseeded call would end replay: rules, charts, the simulated world, judges. */
const deterministicFolders = /^(?:src\/paxos|src\/trace|src\/judge|src\/sim|src\/lab|actors)\//;
const timers = ["setTimeout", "setInterval", "setImmediate", "queueMicrotask"];
const testWords = ["it", "test", "describe", "suite"];
const hosts = ["process", "console", "crypto", "performance", "globalThis"];

/** No clock, randomness, timer, process or console where everything must be replayable. */
export const noHostCalls: Rule = (source) => {
  if (!deterministicFolders.test(source.path)) return [];
  const findings: Finding[] = [];
  walk(source, (node) => {
    const word = hostCall(node);
    if (word === undefined) return;
    findings.push({ ...at(source, node), message: `${word} is banned here: effects are data` });
  });
  return findings;
};

function hostCall(node: ts.Node): string | undefined {
  if (!ts.isIdentifier(node) || isMemberName(node)) return undefined;
  const { parent, text } = node;
  if (timers.includes(text) || text === "Date") return text;
  const member = ts.isPropertyAccessExpression(parent) ? parent.name.text : undefined;
  if (text === "Math")
    return member === undefined || member === "random" ? "Math.random" : undefined;
  const used = member !== undefined || ts.isElementAccessExpression(parent);
  return hosts.includes(text) && used ? `${text}.` : undefined;
}

/** Whether an identifier names a member (`a.name`, `{ name: … }`) and not a variable. */
function isMemberName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node;
  if (ts.isQualifiedName(parent)) return parent.right === node;
  const declares =
    ts.isPropertyAssignment(parent) ||
    ts.isPropertySignature(parent) ||
    ts.isPropertyDeclaration(parent) ||
    ts.isMethodDeclaration(parent) ||
    ts.isMethodSignature(parent);
  return declares && parent.name === node;
}

/** No code file is longer than one can read in a sitting. */
export function fileLength(allowed = allowances): Rule {
  return (source) => {
    if (!isCode(source.path)) return [];
    const lines = source.text.replace(/\n$/, "").split("\n").length;
    const max = allowed.find((a) => a.of === source.path)?.lines ?? fileLinesMax;
    if (lines <= max) return [];
    return [{ path: source.path, line: max + 1, message: `${lines} lines; at most ${max}` }];
  };
}

/** No function is longer than a screen. One that declares tests is a chapter, not a function. */
export function functionLength(allowed = allowances): Rule {
  return (source) => {
    if (!isCode(source.path)) return [];
    const findings: Finding[] = [];
    walk(source, (node) => {
      if (!ts.isFunctionLike(node) || !("body" in node) || isChapter(source, node)) return;
      const lines = lineAt(source, node.getEnd()) - lineOf(source, node) + 1;
      const name = nameOf(node);
      const max = allowed.find((a) => a.of === `${source.path}#${name}`)?.lines ?? functionLinesMax;
      if (lines <= max) return;
      findings.push({ ...at(source, node), message: `${name}: ${lines} lines; at most ${max}` });
    });
    return findings;
  };
}

/** Whether a function of a test is the callback of `describe`, or a suite: calls it or `it`. */
function isChapter(source: SourceText, node: ts.SignatureDeclaration): boolean {
  if (!isTest(source.path) || !("body" in node)) return false;
  const { body, parent } = node;
  if (ts.isCallExpression(parent) && rootOf(parent).text === "describe") return true;
  const statements = body !== undefined && ts.isBlock(body as ts.Node) ? (body as ts.Block) : null;
  return (statements?.statements ?? []).some(
    (s) => ts.isExpressionStatement(s) && testWords.includes(rootOf(s.expression).text),
  );
}

function nameOf(node: ts.SignatureDeclaration): string {
  const { parent } = node;
  if (node.name !== undefined) return node.name.getText();
  if (ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent)) {
    return parent.name.getText();
  }
  return ts.isConstructorDeclaration(node) ? "constructor" : "(anonymous)";
}

/** Allowances that nothing needs any more, or that give no reason. */
export function idleAllowances(sources: readonly SourceText[], allowed = allowances): Finding[] {
  return allowed.flatMap((allowance) => {
    const others = allowed.filter((a) => a !== allowance);
    const path = allowance.of.replace(/#.*/, "");
    const rule = allowance.of.includes("#") ? functionLength : fileLength;
    const needed = sources.some(
      (source) =>
        source.path === path && rule(others)(source).length > rule(allowed)(source).length,
    );
    if (needed && allowance.reason !== "") return [];
    return [{ path, line: 0, message: `the allowance of ${allowance.of} is idle or unreasoned` }];
  });
}

/** No line of code is wider than two panes side by side; a web address cannot be broken. */
export const lineWidth: Rule = (source) => {
  if (!isCode(source.path)) return [];
  return source.text.split("\n").flatMap((text, i) => {
    const columns = [...text].length;
    if (columns <= columnsMax || /https?:\/\/\S{40}/.test(text)) return [];
    return [
      { path: source.path, line: i + 1, message: `${columns} columns; at most ${columnsMax}` },
    ];
  });
};

/** Only the doors hand on what others define; anyone else imports from where it is written. */
export function noBarrels(doors: readonly string[]): Rule {
  return (source) => {
    if (!isCode(source.path) || doors.includes(source.path)) return [];
    const { statements } = parse(source);
    const handsOn = statements.filter(
      (s) => ts.isExportDeclaration(s) && s.moduleSpecifier !== undefined,
    );
    const all = handsOn.find((s) => ts.isExportDeclaration(s) && s.exportClause === undefined);
    const only = statements.every((s) => ts.isImportDeclaration(s) || ts.isExportDeclaration(s));
    const barrel = all ?? (only ? statements.find(ts.isExportDeclaration) : undefined);
    if (barrel === undefined) return [];
    return [{ ...at(source, barrel), message: "a barrel: only the doors re-export" }];
  };
}

/** The source files behind a package's `exports`, and the registry of roles. */
export function doorsOf(packageJson: string): string[] {
  const { exports = {} } = JSON.parse(packageJson) as {
    exports?: Record<string, { default?: string }>;
  };
  const built = Object.values(exports).flatMap((entry) => entry.default ?? []);
  const sources = built.map((path) => path.replace(/^\.\/dist\//, "").replace(/\.js$/, ".ts"));
  return ["src/index.ts", "actors/index.ts", ...sources];
}

/** A file is named after what it holds. */
export const noUtils: Rule = ({ path }) =>
  /(?:^|\/)utils?\.\w+$/.test(path) ? [{ path, line: 0, message: "name it after its noun" }] : [];

/** Every test runs, always. */
export const noTestSwitches: Rule = (source) => {
  if (!isTest(source.path) || !isCode(source.path)) return [];
  const findings: Finding[] = [];
  walk(source, (node) => {
    if (!ts.isPropertyAccessExpression(node)) return;
    if (!["only", "skip", "todo"].includes(node.name.text)) return;
    if (!testWords.includes(rootOf(node).text)) return;
    findings.push({ ...at(source, node), message: `.${node.name.text} switches tests off` });
  });
  return findings;
};

/** The identifier at the left end of `a.b(c).d`; no text if there is none. */
function rootOf(node: ts.Node): { readonly text: string } {
  if (ts.isIdentifier(node)) return node;
  if (ts.isPropertyAccessExpression(node) || ts.isCallExpression(node)) {
    return rootOf(node.expression);
  }
  return { text: "" };
}

/** Nothing is left for later in the code: it is done, or it is an issue. */
export const noLeftovers: Rule = (source) => {
  if (!/^(?:src|actors)\//.test(source.path)) return [];
  return linesWith(source, /\b(?:TODO|FIXME|XXX)\b/, "finish it, or file an issue");
};

/** The twin in memory stands for the package, whose own function the NATS adapter calls. */
const inboxMakers = ["src/adapters/memory/transport.ts"];

/** Every inbox comes from its transport, which knows the prefix that permissions need. */
export const inboxesOfTransports: Rule = (source) => {
  if (!/^(?:src|actors)\/.*\.ts$/.test(source.path)) return [];
  if (inboxMakers.includes(source.path)) return [];
  return linesWith(source, /_INBOX/, "ask the transport (newInbox)");
};

/** No path that exists on one machine only. */
export const noMachinePaths: Rule = (source) =>
  linesWith(
    source,
    /(?<![\w.)\]}>-])(?:\/(?:home|root|Users|work)\/|[A-Z]:\\)\w/,
    "a machine's path",
  );

function linesWith(source: SourceText, pattern: RegExp, message: string): Finding[] {
  return source.text.split("\n").flatMap((text, i) => {
    const match = pattern.exec(text)?.[0];
    if (match === undefined) return [];
    return [{ path: source.path, line: i + 1, message: `${match}: ${message}` }];
  });
}

/** The home of the one type that says what took effect. */
const receiptHome = "src/paxos/receipt.ts";

/** What took effect is one type and one word: others extend `Receipt`, and say `syncedBy`. */
export const oneReceipt: Rule = (source) => {
  if (!/^(?:src|actors)\/.*\.ts$/.test(source.path) || source.path === receiptHome) return [];
  const findings: Finding[] = [];
  walk(source, (node) => {
    if (!ts.isInterfaceDeclaration(node) && !ts.isTypeLiteralNode(node)) return;
    const types = new Map(
      node.members
        .filter((member) => ts.isPropertySignature(member))
        .map((member) => [member.name.getText(), member.type?.getText() ?? ""]),
    );
    const has = (...names: string[]) => names.every((name) => types.has(name));
    const message = has("position", "slot", "ballot")
      ? "extend Receipt of src/paxos/receipt.ts"
      : has("ballot", "by") && types.get("by")?.endsWith("[]")
        ? "the acceptors that had it synced are `syncedBy`"
        : undefined;
    if (message !== undefined) findings.push({ ...at(source, node), message });
  });
  return findings;
};

/** The quorums that a promise or vote counts in are those of its slot, which `configAt` knows. */
export const quorumsOfSlots: Rule = (source) => {
  const isRule = /^(?:src\/paxos|actors)\/.*\.ts$/.test(source.path);
  if (!isRule || source.path === "src/paxos/cluster.ts") return [];
  const pattern = /\bcluster\.quorums\b|\bquorums\b[^{}]*\} = (?:\w+\.)*cluster\b/;
  return linesWith(source, pattern, "ask configAt (of a key: configOfKeys) for the configuration");
};

/** What others call says what it does. */
export const docComments: Rule = (source) => {
  if (!/^src\/(?:paxos|kernel|trace)\/.*\.ts$/.test(source.path)) return [];
  const seen = new Set<string>(); // the first overload speaks for all
  return parse(source).statements.flatMap((statement) => {
    const name = exportedName(statement);
    if (name === undefined || seen.has(name)) return [];
    seen.add(name);
    const said = ts.getJSDocCommentsAndTags(statement).some((doc) => /\w/.test(doc.getText()));
    return said ? [] : [{ ...at(source, statement), message: `${name} has no doc comment` }];
  });
};

function exportedName(statement: ts.Statement): string | undefined {
  const flags = ts.canHaveModifiers(statement) ? ts.getModifiers(statement) : undefined;
  if (!flags?.some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword)) return undefined;
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations[0]?.name.getText();
  }
  const { name } = statement as ts.DeclarationStatement;
  return name?.getText() ?? "default";
}

/** Folders that explain themselves, and each adapter. */
const explained = /^(?:src\/(?:adapters\/[^/]+|broker|judge|kernel|paxos|sim|trace)|actors|test)\//;

/** Every folder that shapes the design says why in a README.md. */
export function missingReadmes(paths: readonly string[]): Finding[] {
  const folders = new Set(paths.flatMap((path) => explained.exec(path)?.[0] ?? []));
  return [...folders]
    .filter((folder) => !paths.includes(`${folder}README.md`))
    .map((folder) => ({ path: `${folder}README.md`, line: 0, message: "is missing" }));
}

/** The whole top level. A new name here is a decision, not an accident. */
const topLevelNames = [
  ...["src", "actors", "test", "findings"],
  ...["package.json", "package-lock.json", "tsconfig.json", "tsconfig.build.json"],
  ...["README.md", "LICENSE", "biome.json", "knip.json", "vitest.config.ts"],
  ...[".npmrc", ".gitignore", ".gitattributes", ".ci"],
];

/** Names at the top level that are not on the closed list. */
export function strangers(names: readonly string[]): Finding[] {
  return names
    .filter((name) => !topLevelNames.includes(name))
    .map((path) => ({ path, line: 0, message: "the top level is closed" }));
}

function at(source: SourceText, node: ts.Node): Pick<Finding, "path" | "line"> {
  return { path: source.path, line: lineOf(source, node) };
}

/** The kernel knows no role and no verb: what it must know of them it is given as data. */
import ts from "typescript";
import { ROLES } from "../../src/paxos/wire/messages.js";
import { VERBS } from "../../src/paxos/wire/verbs.js";
import { type Finding, lineOf, type SourceText, walk } from "./sources.js";

const names: ReadonlySet<string> = new Set([...ROLES, ...Object.keys(VERBS)]);

/** No role and no verb is named in the kernel. */
export function kernelWords(source: SourceText): Finding[] {
  const { path } = source;
  if (!/^src\/kernel\/.*\.ts$/.test(path)) return [];
  const findings: Finding[] = [];
  walk(source, (node) => {
    if (!ts.isStringLiteralLike(node) || !names.has(node.text) || isKind(node)) return;
    const message = `"${node.text}" names a role or verb: ask the table of verbs or the definition`;
    findings.push({ path, line: lineOf(source, node), message });
  });
  return findings;
}

/** Answers, effects and records have kinds of the same words: `kind: "refused"`. */
function isKind(node: ts.StringLiteralLike): boolean {
  const { parent } = node;
  if (ts.isPropertyAssignment(parent)) return nameIn(parent.name) === "kind";
  if (ts.isLiteralTypeNode(parent) && ts.isPropertySignature(parent.parent)) {
    return nameIn(parent.parent.name) === "kind";
  }
  if (ts.isBinaryExpression(parent)) {
    const isPropertyName = parent.operatorToken.kind === ts.SyntaxKind.InKeyword;
    return isPropertyName || endsInKind(parent.left);
  }
  if (ts.isCaseClause(parent)) return endsInKind(parent.parent.parent.expression);
  return ts.isAsExpression(parent) && isKind(parent as never);
}

function nameIn(name: ts.PropertyName): string {
  return ts.isIdentifier(name) ? name.text : "";
}

function endsInKind(node: ts.Expression): boolean {
  return ts.isPropertyAccessExpression(node) && node.name.text === "kind";
}

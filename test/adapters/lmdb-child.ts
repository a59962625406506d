import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { identity } from "../kernel/stores.js";

const repository = fileURLToPath(new URL("../..", import.meta.url));

/** What a process did. */
export interface Ended {
  readonly status: number | null;
  readonly signal: string | null;
  readonly out: string;
  readonly err: string;
}

/**
 * Makes the store's sources runnable by plain node, for processes that a test kills, traces or
 * starves.
 *
 * Why not `dist`: it may be older than what is tested.
 */
export function buildChildren(root: string): void {
  const built = new Set<string>();
  const waiting = ["src/adapters/lmdb/format.ts", "src/adapters/lmdb/move.ts"];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (built.has(path)) continue;
    built.add(path);
    const { outputText } = ts.transpileModule(readFileSync(join(repository, path), "utf8"), {
      compilerOptions: {
        module: ts.ModuleKind.ESNext,
        target: ts.ScriptTarget.ES2023,
        verbatimModuleSyntax: true,
      },
    });
    const to = join(root, path.replace(/ts$/, "js"));
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, outputText);
    for (const [, imported] of outputText.matchAll(/ from "(\.[^"]+)\.js";/g)) {
      waiting.push(join(dirname(path), `${imported}.ts`));
    }
  }
  writeFileSync(join(root, "package.json"), '{ "type": "module" }');
  symlinkSync(join(repository, "node_modules"), join(root, "node_modules"));
}

const prelude = `
import * as fs from "node:fs";
import { formatDirectory, openDirectory } from "./src/adapters/lmdb/format.js";
import { moveDirectory } from "./src/adapters/lmdb/move.js";
import { digest } from "./src/paxos/digest.js";
const identity = ${JSON.stringify(identity)};
const say = (text) => fs.writeSync(1, text + "\\n");
const vote = (slot, size = 100) => {
  const value = new Uint8Array(size).fill(slot);
  const ballot = { round: 1, owner: "p1.0" };
  return { kind: "vote", slot, ballot, digest: digest(value), value };
};
const commit = (store, records, trimBelow) =>
  new Promise((resolve) => store.commit({ records, trimBelow }, (error) => resolve(error)));
const tell = (opening) =>
  opening.then(() => say("opened"), (error) => say(error.code + ": " + error.message));
const slots = (store) => store.readVotes(0, 2 ** 40, 2 ** 30).votes.map(({ slot }) => slot);
`;

/** Writes a program that finds the store's modules and a few helpers. @returns its path */
export function writeChild(root: string, name: string, program: string): string {
  const path = join(root, `${name}.mjs`);
  writeFileSync(path, prelude + program);
  return path;
}

/** Runs a command to its end. */
export function run(command: string, ...args: readonly string[]): Ended {
  const { status, signal, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  return { status, signal, out: stdout ?? "", err: stderr ?? "" };
}

/** Why a tool cannot be used here; undefined if it can. */
export function lacking(command: string, ...args: readonly string[]): string | undefined {
  const { status, err } = run(command, ...args);
  return status === 0 ? undefined : `${command} does not work here: ${err.trim() || "not found"}`;
}

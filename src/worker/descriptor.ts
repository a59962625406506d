/**
 * The cluster descriptor: a YAML file that says who may act in a cluster, under which store.
 *
 * Why all errors at once: who edits it by hand should not have to run a program for each typing
 * error. Why it is closed to unknown keys: a misspelt limit that is ignored is a wrong limit.
 */
import { readFile } from "node:fs/promises";
import type { TSchema } from "@sinclair/typebox";
import type { TypeCheck } from "@sinclair/typebox/compiler";
import { type ValueError, ValueErrorType } from "@sinclair/typebox/errors";
import { parse } from "yaml";
import type { Random } from "../kernel/ports.js";
import type { Cluster, LearnMode, Member } from "../paxos/cluster.js";
import { DEFAULT_LIMITS, type Limits } from "../paxos/limits.js";
import { type QuorumSystem, quorumProblems } from "../paxos/quorum.js";
import { closest } from "./closest.js";
import { checkFor, checkRoot, type Written } from "./descriptor-schema.js";
import { DescriptorText, type Path, type Problem } from "./descriptor-text.js";

/** A descriptor that cannot be used; every problem with its line. */
export class DescriptorError extends Error {
  override readonly name = "DescriptorError";
  readonly problems: readonly Problem[];

  constructor(file: string, problems: readonly Problem[]) {
    super(problems.map((p) => `${file}:${p.line}:${p.column}: ${p.message}`).join("\n"));
    this.problems = problems;
  }
}

/** Largest descriptor that is read. */
const descriptorBytesMax = 1_048_576;
/** Most problems that are listed. */
const problemsMax = 50;

/** Keys whose values are names and never numbers. */
const textKeys = new Set(["name", "id", "store", "grid", "some"]);

/**
 * Reads a descriptor.
 *
 * @throws DescriptorError with all that is wrong, each with line and column
 */
export async function readDescriptor(file: string): Promise<Cluster> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    const why = code === "ENOENT" ? "there is no such file" : `it cannot be read (${code})`;
    const message = `${why}: name the cluster's descriptor, or make one with \`synod format\``;
    throw new DescriptorError(file, [{ line: 1, column: 1, message }]);
  }
  return parseDescriptor(text, file);
}

/** Reads a descriptor's text. @param file its name in messages @throws DescriptorError */
export function parseDescriptor(text: string, file: string): Cluster {
  if (text.length > descriptorBytesMax) {
    const message = `a descriptor is at most ${descriptorBytesMax} bytes: this is another file`;
    throw new DescriptorError(file, [{ line: 1, column: 1, message }]);
  }
  const source = new DescriptorText(text, textKeys);
  const problems = [...source.problems];
  if (source.isReadable) {
    const shape = shapeProblems(source);
    problems.push(...shape.problems, ...meaningProblems(source, shape.bad));
  }
  if (problems.length > 0) throw new DescriptorError(file, inOrder(problems));
  return toCluster(source.value as Written);
}

function inOrder(problems: readonly Problem[]): Problem[] {
  return [...problems].sort((a, b) => a.line - b.line || a.column - b.column).slice(0, problemsMax);
}

// --- shape ------------------------------------------------------------------------------------

/** What is wrong with the shape of a file. */
interface Shape {
  readonly problems: Problem[];
  /** The first keys of the places; "" for the file itself. */
  readonly bad: Set<string>;
}

function shapeProblems(source: DescriptorText): Shape {
  const shape: Shape = { problems: [], bad: new Set() };
  check(source, checkRoot, source.value, [], shape);
  if (shape.bad.has("")) return shape;
  for (const part of ["quorums", "learn"] as const) {
    const value = (source.value as Record<string, unknown>)[part];
    if (value !== undefined) check(source, checkFor(part, value), value, [part], shape);
  }
  return shape;
}

/** One problem for each place: the first that the schema finds there. */
function check(
  source: DescriptorText,
  schema: TypeCheck<TSchema>,
  value: unknown,
  base: Path,
  found: Shape,
): void {
  const seen = new Set<string>();
  for (const error of schema.Errors(value)) {
    const path = [...base, ...toPath(error.path)];
    const place = JSON.stringify(path);
    // What is missing inside something that is no mapping at all is said by the latter.
    if (seen.has(place) || seen.has(JSON.stringify(path.slice(0, -1)))) continue;
    seen.add(place);
    found.problems.push(toProblem(source, error, path));
    found.bad.add(String(path[0] ?? ""));
  }
}

function toPath(pointer: string): (string | number)[] {
  return pointer
    .split("/")
    .slice(1)
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"))
    .map((token) => (/^\d+$/.test(token) ? Number(token) : token));
}

function toProblem(source: DescriptorText, error: ValueError, path: Path): Problem {
  const { says = error.message, properties = {} } = error.schema;
  if (error.type === ValueErrorType.ObjectAdditionalProperties) {
    return source.keyProblem(path, unknownKey(path, Object.keys(properties)));
  }
  if (error.type === ValueErrorType.ObjectRequiredProperty) {
    return source.problem(path, `${show(path)} is missing: it must be ${says}`);
  }
  return source.problem(path, `${show(path)} must be ${says}, not ${quote(error.value)}`);
}

function unknownKey(path: Path, known: readonly string[]): string {
  const key = String(path.at(-1));
  const close = closest(key, known);
  const hint = close === undefined ? `known are ${known.join(", ")}` : `did you mean ${close}?`;
  return `unknown key ${show(path)}: ${hint}`;
}

/** `acceptors[1].store`; the whole file for the root. */
function show(path: Path): string {
  if (path.length === 0) return "the descriptor";
  return path
    .map((part, i) => (typeof part === "number" ? `[${part}]` : i === 0 ? part : `.${part}`))
    .join("");
}

function quote(value: unknown): string {
  if (value === null || value === undefined) return "empty";
  const text = JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

// --- meaning ----------------------------------------------------------------------------------

/** What is wrong with what a file means, as far as its shape allows to tell. */
function meaningProblems(source: DescriptorText, bad: ReadonlySet<string>): Problem[] {
  const written = source.value as Written;
  const are = (...parts: string[]) => ["", ...parts].every((part) => !bad.has(part));
  const problems: Problem[] = [];
  if (are("acceptors", "proposers")) problems.push(...repeats(source, written));
  if (are("acceptors", "quorums")) {
    const ids = [...new Set(written.acceptors.map(({ id }) => id))];
    for (const message of quorumProblems(toQuorums(written.quorums), ids)) {
      problems.push(source.problem(["quorums"], `quorums: ${message}`));
    }
  }
  if (are("limits")) problems.push(...limitProblems(source, written));
  return problems;
}

function repeats(source: DescriptorText, written: Written): Problem[] {
  const problems: Problem[] = [];
  const stores = new Map<string, string>();
  for (const list of ["acceptors", "proposers"] as const) {
    const ids = new Set<string>();
    written[list].forEach(({ id, store }, index) => {
      const path = [list, index] as const;
      if (ids.has(id)) {
        const message = `${list} name ${id} twice: every one needs an id of its own`;
        problems.push(source.problem([...path, "id"], message));
      }
      ids.add(id);
      const other = stores.get(store);
      if (other !== undefined) {
        const message = `${show(path)} has the store of ${other}: draw one with \`synod format\``;
        problems.push(source.problem([...path, "store"], message));
      }
      stores.set(store, show(path));
    });
  }
  return problems;
}

/** Pairs of limits of which the first must not be above the second. */
const ordered: readonly (readonly [keyof Limits, keyof Limits])[] = [
  ["valueBytesMax", "batchBytesMax"],
  ["backoffMinMs", "backoffMaxMs"],
  ["beaconMs", "suspectMs"],
];

function limitProblems(source: DescriptorText, written: Written): Problem[] {
  const limits = { ...DEFAULT_LIMITS, ...written.limits };
  return ordered.flatMap(([low, high]) => {
    if (limits[low] <= limits[high]) return [];
    const named = written.limits?.[low] === undefined ? high : low;
    const message =
      `limits.${low} (${limits[low]}) must not be above limits.${high} (${limits[high]}): ` +
      "change one of them";
    return [source.problem(["limits", named], message)];
  });
}

function toQuorums(written: Written["quorums"]): QuorumSystem {
  if (written === undefined || written === "majority") return { kind: "majority" };
  if ("flexible" in written) return { kind: "flexible", ...written.flexible };
  return { kind: "grid", rows: written.grid };
}

function toLearn(written: Written["learn"]): LearnMode {
  if (written === undefined || written === "leader") return { kind: "leader" };
  return written === "all" ? { kind: "all" } : { kind: "some", learners: written.some };
}

function toMembers(list: Written["acceptors"]): Member[] {
  return list.map(({ id, store }) => ({ id, storeId: store }));
}

function toCluster(written: Written): Cluster {
  return {
    name: written.name,
    clusterId: written.id,
    epoch: written.epoch,
    acceptors: toMembers(written.acceptors),
    proposers: toMembers(written.proposers),
    quorums: toQuorums(written.quorums),
    learn: toLearn(written.learn),
    limits: { ...DEFAULT_LIMITS, ...written.limits },
  };
}

// --- drawing and writing ----------------------------------------------------------------------

/** What a new cluster is drawn from. */
export interface NewCluster {
  readonly name: string;
  /** How many; they are called a1, a2, … */
  readonly acceptors: number;
  /** How many; they are called p1, p2, … */
  readonly proposers: number;
  readonly random: Pick<Random, "hex">;
  readonly quorums?: QuorumSystem | undefined;
  readonly learn?: LearnMode | undefined;
  readonly limits?: Partial<Limits> | undefined;
}

/** Draws the ids of a new cluster and of its stores, which are not made yet. */
export function drawCluster(options: NewCluster): Cluster {
  const { name, random, quorums, learn, limits } = options;
  const draw = (letter: string, count: number): Member[] =>
    Array.from({ length: count }, (_, i) => ({ id: `${letter}${i + 1}`, storeId: random.hex(16) }));
  return {
    name,
    clusterId: random.hex(16),
    epoch: 1,
    acceptors: draw("a", options.acceptors),
    proposers: draw("p", options.proposers),
    quorums: quorums ?? { kind: "majority" },
    learn: learn ?? { kind: "leader" },
    limits: { ...DEFAULT_LIMITS, ...limits },
  };
}

/** Writes a descriptor that {@link parseDescriptor} reads back, with short comments. */
export function writeDescriptor(cluster: Cluster): string {
  const lines = [
    "# A Synod cluster: who may act in it, and the only store that may act under each name.",
    "# Give every machine the same file. Never edit an id or a store.",
    "synod: 1",
    `name: ${plain(cluster.name)}`,
    `id: "${cluster.clusterId}" # tells apart clusters of one name`,
    `epoch: ${cluster.epoch} # grows when acceptors, proposers, quorums or windowMax change`,
    "acceptors: # they vote",
    ...cluster.acceptors.map(memberLine),
    "proposers: # they may lead",
    ...cluster.proposers.map(memberLine),
    `quorums: ${quorumText(cluster.quorums)}`,
    `learn: ${learnText(cluster.learn)} # who tallies the votes`,
    ...limitLines(cluster.limits),
  ];
  return `${lines.join("\n")}\n`;
}

/** The same descriptor as one line of JSON, which is YAML too: a worker reads it as it is. */
export function descriptorJson(cluster: Cluster): string {
  return JSON.stringify(parse(writeDescriptor(cluster)));
}

function memberLine({ id, storeId }: Member): string {
  return `  - { id: ${plain(id)}, store: "${storeId}" }`;
}

/** Quotes what another YAML reader could take for something else than a text. */
function plain(name: string): string {
  const isWord = /^[a-z][a-z0-9_-]*$/.test(name);
  return isWord && !/^(?:null|true|false|yes|no|on|off|y|n)$/.test(name) ? name : `"${name}"`;
}

function quorumText(quorums: QuorumSystem): string {
  if (quorums.kind === "majority") return "majority";
  if (quorums.kind === "flexible") {
    return `{ flexible: { phase1: ${quorums.phase1}, phase2: ${quorums.phase2} } }`;
  }
  const rows = quorums.rows.map((row) => `[${row.map(plain).join(", ")}]`);
  return `{ grid: [${rows.join(", ")}] }`;
}

function learnText(learn: LearnMode): string {
  return learn.kind === "some" ? `{ some: [${learn.learners.map(plain).join(", ")}] }` : learn.kind;
}

/** Only what differs: a default may become better in a later version. */
function limitLines(limits: Limits): string[] {
  const names = Object.keys(DEFAULT_LIMITS) as (keyof Limits)[];
  const changed = names.filter((name) => limits[name] !== DEFAULT_LIMITS[name]);
  // The window is part of what safety rests on: it stands there even if it is the default.
  const shown: (keyof Limits)[] = ["windowMax", ...changed.filter((name) => name !== "windowMax")];
  return ["limits:", ...shown.map((name) => `  ${name}: ${limits[name]}`)];
}

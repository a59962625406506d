/**
 * What a chart says, as plain data: read from a machine's configuration, drawn by the other files
 * of this folder and judged by `test/house/charts.test.ts`.
 *
 * Why not `toDirectedGraph` of xstate: it drops guards, actions, entries and `always`.
 */

/** What lets a transition happen. */
export type Trigger =
  | { readonly kind: "event"; readonly event: string }
  | { readonly kind: "after"; readonly delay: string }
  | { readonly kind: "always" };

/** One transition; a guarded list is several, tried in order. */
export interface ChartTransition {
  /** Path of the state that has it. */
  readonly from: string;
  readonly trigger: Trigger;
  readonly guard: string | null;
  readonly actions: readonly string[];
  /** Path of the state it leads to; null if it stays. An unknown one stays as written. */
  readonly to: string | null;
  /** Set: leaves the state and enters it again, so that its timers begin anew. */
  readonly reenter: boolean;
}

/** One state, or the whole chart. */
export interface ChartState {
  /** Names of the states around it and its own, dotted; "" for the whole chart. */
  readonly path: string;
  readonly name: string;
  readonly kind: "atomic" | "compound" | "parallel" | "final";
  readonly description: string;
  /** The section of the paper, if the state cites one. */
  readonly paper: string;
  readonly tags: readonly string[];
  readonly entry: readonly string[];
  readonly exit: readonly string[];
  /** Path of the state entered first; null without inner states, or with parallel ones. */
  readonly initial: string | null;
  readonly states: readonly ChartState[];
  readonly transitions: readonly ChartTransition[];
}

/** The names that a chart uses and its `setup` implements. */
export interface ChartNames {
  readonly actions: readonly string[];
  readonly guards: readonly string[];
  readonly delays: readonly string[];
}

interface RawTransition {
  readonly target?: string | readonly string[];
  readonly guard?: Named;
  readonly actions?: OneOrMore<Named>;
  readonly reenter?: boolean;
}

interface RawState {
  readonly id?: string;
  readonly type?: string;
  readonly description?: string;
  readonly initial?: string;
  readonly meta?: { readonly paper?: string };
  readonly tags?: OneOrMore<string>;
  readonly entry?: OneOrMore<Named>;
  readonly exit?: OneOrMore<Named>;
  readonly states?: Readonly<Record<string, RawState>>;
  readonly on?: Readonly<Record<string, OneOrMore<string | RawTransition>>>;
  readonly after?: Readonly<Record<string, OneOrMore<string | RawTransition>>>;
  readonly always?: OneOrMore<string | RawTransition>;
}

type Named = string | { readonly type: string };
type OneOrMore<T> = T | readonly T[];

const STATE_WORDS = new Set([
  ...["id", "type", "description", "initial", "meta", "tags", "entry", "exit"],
  ...["states", "on", "after", "always", "context"],
]);
const TRANSITION_WORDS = new Set(["target", "guard", "actions", "reenter", "description"]);

/**
 * Reads a machine's configuration (`machine.config`).
 *
 * @throws Error if it uses a word that the pictures could not show: better none than a wrong one
 */
export function readChart(config: object): ChartState {
  const raw = config as RawState;
  const ids = new Map<string, string>();
  collectIds(raw, "", ids);
  return readState(raw, raw.id ?? "(machine)", "", ids);
}

/** Every state of a chart, the whole one first, in reading order. */
export function statesOf(chart: ChartState): readonly ChartState[] {
  return [chart, ...chart.states.flatMap(statesOf)];
}

/** The states that have no states inside: what a role can be in. */
export function leavesOf(chart: ChartState): readonly ChartState[] {
  return statesOf(chart).filter(({ states }) => states.length === 0);
}

/** Every name that a chart uses, sorted, each once. */
export function namesOf(chart: ChartState): ChartNames {
  const states = statesOf(chart);
  const transitions = states.flatMap((state) => state.transitions);
  const delays = transitions.flatMap(({ trigger }) =>
    trigger.kind === "after" ? [trigger.delay] : [],
  );
  const guards = transitions.flatMap(({ guard }) => guard ?? []);
  const entries = states.flatMap(({ entry, exit }) => [...entry, ...exit]);
  const actions = [...entries, ...transitions.flatMap((transition) => transition.actions)];
  return { actions: unique(actions), guards: unique(guards), delays: unique(delays) };
}

/** The path of the state around a state; "" for the outermost, which are in the chart itself. */
export function parentPath(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf(".")));
}

/** Whether the state at `outer` is around the one at `inner`; the whole chart is around all. */
export function isAround(outer: string, inner: string): boolean {
  return inner !== outer && (outer === "" || inner.startsWith(`${outer}.`));
}

/** Whether a transition leaves nothing: an internal one. */
export function isInternal({ from, to, reenter }: ChartTransition): boolean {
  return to === null || (to === from && !reenter);
}

/** Writes a trigger: `prepare`, `after retryDelay`, `always`. */
export function describeTrigger(trigger: Trigger): string {
  if (trigger.kind === "event") return trigger.event;
  return trigger.kind === "after" ? `after ${trigger.delay}` : "always";
}

function collectIds(raw: RawState, path: string, ids: Map<string, string>): void {
  if (raw.id !== undefined) ids.set(raw.id, path);
  for (const [name, inner] of Object.entries(raw.states ?? {})) {
    collectIds(inner, join(path, name), ids);
  }
}

function readState(
  raw: RawState,
  name: string,
  path: string,
  ids: ReadonlyMap<string, string>,
): ChartState {
  refuseOthers(raw, STATE_WORDS, path);
  const states = Object.entries(raw.states ?? {}).map(([inner, state]) =>
    readState(state, inner, join(path, inner), ids),
  );
  return {
    path,
    name,
    kind: kindOf(raw, path),
    description: raw.description ?? "",
    paper: raw.meta?.paper ?? "",
    tags: list(raw.tags),
    entry: list(raw.entry).map(nameOf),
    exit: list(raw.exit).map(nameOf),
    initial: raw.initial === undefined ? null : join(path, raw.initial),
    states,
    transitions: readTransitions(raw, path, ids),
  };
}

function kindOf(raw: RawState, path: string): ChartState["kind"] {
  if (raw.type === "history") throw new Error(`${path}: a history state cannot be drawn`);
  if (raw.type === "parallel" || raw.type === "final") return raw.type;
  return Object.keys(raw.states ?? {}).length > 0 ? "compound" : "atomic";
}

function readTransitions(
  raw: RawState,
  from: string,
  ids: ReadonlyMap<string, string>,
): readonly ChartTransition[] {
  const read = (trigger: Trigger, written: OneOrMore<string | RawTransition>) =>
    list(written).map((one) => readTransition(one, from, trigger, ids));
  return [
    ...Object.entries(raw.on ?? {}).flatMap(([event, it]) => read({ kind: "event", event }, it)),
    ...Object.entries(raw.after ?? {}).flatMap(([delay, it]) => read({ kind: "after", delay }, it)),
    ...read({ kind: "always" }, raw.always ?? []),
  ];
}

function readTransition(
  written: string | RawTransition,
  from: string,
  trigger: Trigger,
  ids: ReadonlyMap<string, string>,
): ChartTransition {
  const raw: RawTransition = typeof written === "string" ? { target: written } : written;
  refuseOthers(raw, TRANSITION_WORDS, `${from} on ${describeTrigger(trigger)}`);
  const targets = list(raw.target);
  if (targets.length > 1) throw new Error(`${from}: a transition to several states`);
  const target = targets[0];
  return {
    from,
    trigger,
    guard: raw.guard === undefined ? null : nameOf(raw.guard),
    actions: list(raw.actions).map(nameOf),
    to: target === undefined ? null : resolve(target, from, ids),
    reenter: raw.reenter === true,
  };
}

/** Finds a target as XState does: `#id.inner`, `.inner` of this state, else a sibling. */
function resolve(target: string, from: string, ids: ReadonlyMap<string, string>): string {
  if (target.startsWith("#")) {
    const [id = "", ...inner] = target.slice(1).split(".");
    const path = ids.get(id);
    return path === undefined ? target : inner.reduce(join, path);
  }
  if (target.startsWith(".")) return join(from, target.slice(1));
  return join(parentPath(from), target);
}

function refuseOthers(raw: object, words: ReadonlySet<string>, where: string): void {
  for (const [word, value] of Object.entries(raw)) {
    if (words.has(word) || value === undefined) continue;
    throw new Error(`${where || "the chart"}: ${word} cannot be drawn`);
  }
}

function nameOf(named: Named): string {
  if (typeof named === "function") throw new Error("a function in the configuration has no name");
  return typeof named === "string" ? named : named.type;
}

function list<T>(value: OneOrMore<T> | undefined): readonly T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value as T];
}

function join(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)].sort();
}

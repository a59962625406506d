/**
 * Makes a table of the machine object that XState runs and that visualizers show; guards and
 * actions are the chart's own functions.
 *
 * It covers what our charts are written in: nested states with one active leaf, guards by name,
 * assign, raise, cancel, after and always. A chart that uses anything else gets no table, and
 * XState moves it (step.ts). `test/kernel/table.test.ts` holds tables to what XState does.
 */
import type {
  AnyEventObject,
  AnyStateMachine,
  AnyStateNode,
  AnyTransitionDefinition,
} from "xstate";
import { type Call, type Deed, type Place, type Row, Table } from "./table.js";

/** Why a chart gets no table. */
class NotCovered extends Error {
  override readonly name = "NotCovered";
}

/** Makes the table of a chart; null if the chart uses what a table does not cover. */
export function tableOf(machine: AnyStateMachine, microstepsMax: number): Table | null {
  try {
    return new Table(placesOf(machine), microstepsMax);
  } catch (error) {
    if (error instanceof NotCovered) return null;
    throw error;
  }
}

function placesOf(machine: AnyStateMachine): Map<AnyStateNode, Place> {
  const places = new Map<AnyStateNode, Place>();
  const visit = (node: AnyStateNode, around: readonly AnyStateNode[]): void => {
    check(node);
    const path = [node, ...around];
    const children = Object.values(node.states) as AnyStateNode[];
    for (const child of children) visit(child, path);
    if (children.length > 0) return;
    const value = path.slice(0, -1).reduce<unknown>(valueAround, undefined) ?? {};
    const { value: shown, tags, _nodes } = machine.resolveState({ value, context: {} } as never);
    places.set(node, {
      node,
      path,
      shown: { value: shown, tags, _nodes },
      rows: new Map(),
      always: [],
    });
  };
  visit(machine.root, []);
  for (const place of places.values()) {
    const rowOf = (transition: AnyTransitionDefinition) =>
      rowFor(machine, places, place, transition);
    const events = new Set(place.path.flatMap((node) => [...node.transitions.keys()]));
    for (const event of events) {
      const tried = place.path.flatMap((node) => node.transitions.get(event) ?? []);
      place.rows.set(event, tried.map(rowOf));
    }
    place.always = place.path.flatMap((node) => node.always ?? []).map(rowOf);
  }
  return places;
}

/** The value of a state, from that of the state within. */
function valueAround(within: unknown, node: AnyStateNode): unknown {
  return within === undefined ? node.key : { [node.key]: within };
}

/** @throws NotCovered */
function check(node: AnyStateNode): void {
  const isPlain = node.type === "atomic" || node.type === "compound";
  const hasActions = node.type === "compound" && node.initial.actions.length > 0;
  const hasPattern = [...node.transitions.keys()].some((event) => event.includes("*"));
  if (isPlain && !hasActions && !hasPattern && node.invoke.length === 0) return;
  throw new NotCovered(`state ${node.id}`);
}

function rowFor(
  machine: AnyStateMachine,
  places: ReadonlyMap<AnyStateNode, Place>,
  from: Place,
  transition: AnyTransitionDefinition,
): Row {
  const deeds = (actions: readonly unknown[]) => actions.map((action) => deedOf(machine, action));
  const guard = guardOf(machine, transition);
  const targets = (transition.target ?? []) as readonly AnyStateNode[];
  const [target] = targets;
  if (target === undefined)
    return { guard, deeds: deeds(transition.actions), transition, to: from };
  if (targets.length > 1) throw new NotCovered("a transition to two states");
  const domain = domainOf(transition, target);
  const to = leafOf(target);
  const exited = from.path.filter((node) => isWithin(node, domain)).flatMap((node) => node.exit);
  const place = places.get(to);
  if (place === undefined) throw new NotCovered(`state ${to.id}`);
  const entered = [...place.path].reverse().filter((node) => isWithin(node, domain));
  const all = [...exited, ...transition.actions, ...entered.flatMap((node) => node.entry)];
  return { guard, deeds: deeds(all), transition, to: place };
}

/** The innermost state that a transition stays in. */
function domainOf(
  { source, reenter }: AnyTransitionDefinition,
  target: AnyStateNode,
): AnyStateNode {
  const origin = source as AnyStateNode;
  if (!reenter && (target === origin || isWithin(target, origin))) return origin;
  for (let node = target.parent; node !== undefined; node = node.parent) {
    if (isWithin(origin, node)) return node as AnyStateNode;
  }
  if (reenter) throw new NotCovered("a transition that leaves the root");
  return origin.machine.root;
}

function leafOf(node: AnyStateNode): AnyStateNode {
  const [first] = node.type === "compound" ? node.initial.target : [];
  return first === undefined ? node : leafOf(first as AnyStateNode);
}

/** Says whether a state lies in another one, and is not that one. */
function isWithin(node: AnyStateNode, other: AnyStateNode): boolean {
  for (let at = node.parent; at !== undefined; at = at.parent) if (at === other) return true;
  return false;
}

function guardOf(
  machine: AnyStateMachine,
  { guard, eventType, source }: AnyTransitionDefinition,
): Row["guard"] {
  if (guard === undefined) return undefined;
  const { name, params, found } = resolve(guard, machine.implementations.guards);
  if (typeof found !== "function" || "check" in found) throw new NotCovered(`guard ${name}`);
  const call = found as Call<boolean>;
  return (args) => {
    try {
      return call(args, params(args, undefined));
    } catch (error) {
      const where = `in transition for event '${eventType}' in state node '${source.id}'`;
      throw new Error(`Unable to evaluate guard '${name}' ${where}:\n${(error as Error).message}`, {
        cause: error,
      });
    }
  };
}

/** What XState's own actions carry. */
interface Builtin {
  readonly type: string;
  readonly assignment?: unknown;
  readonly event?: unknown;
  readonly id?: string;
  readonly delay?: unknown;
  readonly sendId?: unknown;
}

function deedOf(machine: AnyStateMachine, action: unknown): Deed {
  const { name, params, found } = resolve(action, machine.implementations.actions);
  if (typeof found !== "function") throw new NotCovered(`action ${name}`);
  if (!("resolve" in found)) {
    return { kind: "effects", name, make: found as unknown as Call<unknown>, params };
  }
  const builtin = found as unknown as Builtin;
  switch (builtin.type) {
    case "xstate.assign":
      return { kind: "assign", assignment: assignmentOf(builtin.assignment), params };
    case "xstate.raise": {
      const delay = delayOf(machine, builtin.delay);
      const event = asFunction<AnyEventObject>(builtin.event);
      return { kind: "raise", raise: { event, id: builtin.id, delay }, params };
    }
    case "xstate.cancel":
      return { kind: "cancel", id: asFunction<string>(builtin.sendId), params };
  }
  throw new NotCovered(`action ${builtin.type}`);
}

/** An assignment is one function, or one a field. */
function assignmentOf(assignment: unknown): Call<object> {
  if (typeof assignment === "function") return assignment as Call<object>;
  const fields = Object.entries(assignment as object).map(
    ([name, value]) => [name, asFunction(value)] as const,
  );
  return (args, params) => Object.fromEntries(fields.map(([name, of]) => [name, of(args, params)]));
}

function delayOf(machine: AnyStateMachine, delay: unknown): Call<unknown> | undefined {
  if (delay === undefined) return undefined;
  const found = typeof delay === "string" ? machine.implementations.delays[delay] : delay;
  return asFunction(found);
}

/** What is named or given, as a function. */
function asFunction<T>(value: unknown): Call<T> {
  return typeof value === "function" ? (value as Call<T>) : () => value as T;
}

const NO_PARAMS: Call<unknown> = () => undefined;

/** Finds the function behind the name of a guard or an action, and its parameters. */
function resolve(
  named: unknown,
  implementations: Readonly<Record<string, unknown>>,
): { readonly name: string; readonly params: Call<unknown>; readonly found: unknown } {
  if (typeof named === "function") {
    return { name: named.name || "(anonymous)", params: NO_PARAMS, found: named };
  }
  if (typeof named === "string") {
    return { name: named, params: NO_PARAMS, found: implementations[named] };
  }
  const { type, params } = named as { readonly type: string; readonly params?: unknown };
  return { name: type, params: asFunction(params), found: implementations[type] };
}

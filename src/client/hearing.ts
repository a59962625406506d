/** Who hears whom, put together from what every process says of itself. */
import type { Wait } from "../kernel/role.js";
import { type RoleWaits, rolesOf } from "./control.js";
import { NotPermittedError } from "./errors.js";

/** A role whose messages do not reach everybody who answers here. */
export interface Unheard {
  readonly role: string;
  readonly id: string;
  /** The server that its process is connected to. */
  readonly server: string;
  /** Roles whose processes do not hear its process, each as `role id`, sorted. */
  readonly by: readonly string[];
  /** How many roles, in other processes than its own, there are to hear it. */
  readonly of: number;
}

/** Names the roles that some process does not hear. */
export function unheard(answers: readonly Record<string, unknown>[]): readonly Unheard[] {
  const hearers = answers.map(({ process, hears, server, ...rest }) => ({
    process,
    server: String(server),
    hears: new Set(Array.isArray(hears) ? hears : []),
    roles: rolesOf(rest),
  }));
  return hearers.flatMap(({ process, server, roles }) => {
    const others = hearers.filter((one) => one.process !== process);
    const namesOf = (some: typeof others) =>
      some.flatMap((one) => one.roles.map(({ role, id }) => `${role} ${id}`)).sort();
    // A process that does not hear itself could not ask: nothing is known of what it hears.
    const asked = others.filter((one) => one.hears.has(one.process));
    const by = namesOf(asked.filter(({ hears }) => !hears.has(process)));
    const of = namesOf(others).length;
    return by.length === 0 ? [] : roles.map(({ role, id }) => ({ role, id, server, by, of }));
  });
}

/** Stands in for who hears whom where a user may not ask it. @throws any other error */
export function noneIfForbidden(error: unknown): readonly Unheard[] {
  if (error instanceof NotPermittedError) return [];
  throw error;
}

/** Most roles that are named of those that do not hear one. */
const namedMax = 6;

/** What the unheard roles wait for. */
export function waitsToBeHeard(unheard: readonly Unheard[]): readonly RoleWaits[] {
  return unheard.map(({ role, id, server, by, of }) => {
    const wait: Wait = {
      for: "others to hear it",
      from: by.slice(0, namedMax),
      have: of - by.length,
      need: of,
      sinceMs: 0,
      reason:
        `what its process publishes on ${server} does not reach them: see whether permissions ` +
        "forbid it, and whether their NATS servers are joined to this one",
    };
    return { role, id, waits: [wait] };
  });
}

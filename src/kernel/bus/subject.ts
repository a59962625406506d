/**
 * Subjects: how roles are found without addresses.
 *
 *   <prefix>.<cluster>.<toRole>.<verb>.<toId|all>.<fromId>
 *
 * The sender stands last, so that a server's permissions decide who may sign as whom.
 */
import type { RoleName } from "../../paxos/wire/messages.js";

/** The first tokens of every subject of a cluster. */
export interface Space {
  /** "synod" unless told otherwise. */
  readonly prefix: string;
  readonly cluster: string;
}

/** A subject between roles, read. */
export interface Route {
  readonly toRole: string;
  readonly verb: string;
  readonly toId: string;
  readonly fromId: string;
}

/** Returns the subject, or with `*` as an id the pattern, of a message between roles. */
export function subjectOf(
  space: Space,
  toRole: RoleName | "*",
  verb: string,
  toId: string,
  fromId: string,
): string {
  return `${space.prefix}.${space.cluster}.${toRole}.${verb}.${toId}.${fromId}`;
}

/** Returns the subject of a door: a public or control subject of the cluster. */
export function doorSubject(space: Space, door: string): string {
  return `${space.prefix}.${space.cluster}.${door}`;
}

/** Reads a subject between roles; undefined if it is none of this space. */
export function parseSubject(space: Space, subject: string): Route | undefined {
  const head = `${space.prefix}.${space.cluster}.`;
  if (!subject.startsWith(head)) return undefined;
  const verbAt = subject.indexOf(".", head.length) + 1;
  const toIdAt = subject.indexOf(".", verbAt) + 1;
  const fromIdAt = subject.indexOf(".", toIdAt) + 1;
  const isShort = verbAt === 0 || toIdAt === 0 || fromIdAt === 0;
  if (isShort || subject.indexOf(".", fromIdAt) >= 0) return undefined;
  return {
    toRole: subject.slice(head.length, verbAt - 1),
    verb: subject.slice(verbAt, toIdAt - 1),
    toId: subject.slice(toIdAt, fromIdAt - 1),
    fromId: subject.slice(fromIdAt),
  };
}

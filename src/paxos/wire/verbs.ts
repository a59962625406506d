/**
 * The table of verbs: all that the kernel and the checks know of a message beside its content.
 *
 * What a verb means stands at its type in `messages.ts`. A new verb is a row here, its type, its
 * schema and its handlers.
 */
import type { Hello, Message, Objection, RoleName, Sender, Verb } from "./messages.js";

/** What one row says of a verb. Absent fields do not apply. */
export interface VerbRow {
  /** Roles that may send it; what comes from another is refused and counted. */
  readonly from: readonly RoleName[];
  /** Roles that it is addressed to: one instance by its id, or all of them. */
  readonly to: readonly RoleName[];
  /** Roles that receive each message to the roles of `to` as well. */
  readonly overheardBy?: readonly RoleName[];
  /** Of the instances that it is addressed to, one takes each message. */
  readonly queue?: true;
  /**
   * Messages that may be judged together become one event: those of one ballot, or all. Others come
   * alone.
   */
  readonly together?: "ballot" | "all";
  /**
   * States nothing that the sender remembers, so that it need not wait for the sender's disk.
   * Everything else does (README of src/kernel).
   */
  readonly stateless?: true;
  /**
   * How much of an inbox it may fill: new work the least, so that work under way can end; what
   * keeps leadership stable all of it.
   */
  readonly share?: "new work" | "leadership";
  /** Its field `reply` names who waits for the answer; the kernel fills it in. */
  readonly answered?: true;
}

/** Every verb. */
export const VERBS: Readonly<Record<Verb, VerbRow>> = {
  // Single-decree Synod.
  decide: {
    from: ["session"],
    to: ["synod-proposer"],
    queue: true,
    share: "new work",
    answered: true,
  },
  "key-prepare": { from: ["synod-proposer"], to: ["acceptor"] },
  "key-promise": { from: ["acceptor"], to: ["synod-proposer"] },
  "key-accept": { from: ["synod-proposer"], to: ["acceptor"], overheardBy: ["learner"] },
  "key-accepted": { from: ["acceptor"], to: ["synod-proposer", "learner"] },
  "key-nack": { from: ["acceptor"], to: ["synod-proposer"] },
  "key-chosen": { from: ["synod-proposer", "learner"], to: ["learner"] },

  // Multi-Paxos.
  prepare: { from: ["proposer"], to: ["acceptor"], share: "leadership" },
  promise: { from: ["acceptor"], to: ["proposer"], share: "leadership" },
  accept: {
    from: ["proposer"],
    to: ["acceptor"],
    overheardBy: ["learner"],
    together: "ballot",
  },
  accepted: {
    from: ["acceptor"],
    to: ["proposer", "learner"],
    together: "ballot",
    share: "leadership",
  },
  nack: { from: ["acceptor"], to: ["proposer"], share: "leadership" },
  chosen: { from: ["proposer", "learner"], to: ["learner"], together: "all" },
  beacon: {
    from: ["proposer"],
    to: ["learner"],
    overheardBy: ["acceptor", "proposer", "elector", "gateway"],
    stateless: true,
    share: "leadership",
  },
  basis: { from: ["proposer"], to: ["learner"] },
  "ask-basis": { from: ["learner"], to: ["proposer"] },
  repair: { from: ["learner"], to: ["acceptor", "proposer", "learner"], stateless: true },
  votes: { from: ["acceptor"], to: ["learner"], together: "all" },
  entries: { from: ["learner"], to: ["learner"], together: "all" },

  // Election.
  hint: { from: ["elector"], to: ["proposer"], stateless: true },
  "ask-leader": { from: ["proposer"], to: ["acceptor"], stateless: true },
  "last-heard": { from: ["acceptor"], to: ["proposer"] },

  // Clients.
  "open-session": { from: ["session"], to: ["gateway"], queue: true, share: "new work" },
  "session-opened": { from: ["gateway"], to: ["session"] },
  request: { from: ["session"], to: ["gateway"], together: "all", share: "new work" },
  "end-session": { from: ["session"], to: ["gateway"] },
  results: { from: ["gateway"], to: ["session"], together: "all" },
  refused: { from: ["gateway"], to: ["session"] },
  propose: {
    from: ["gateway"],
    to: ["proposer"],
    together: "all",
    stateless: true,
    share: "new work",
  },
  follow: { from: ["gateway"], to: ["learner"] },
  outcomes: { from: ["learner"], to: ["gateway"], together: "all" },

  // Stores that start, and who has seen a later life of one (`src/kernel/bus/witness.ts`). Each
  // process takes a `hello` itself: no role receives it.
  hello: { from: ["acceptor"], to: [], stateless: true },
  objection: { from: ["learner"], to: ["acceptor"], stateless: true, share: "leadership" },
};

/** Roles whose members the descriptor lists with their stores: nobody else may speak as one. */
export const LISTED_ROLES: ReadonlySet<RoleName> = new Set<RoleName>(["acceptor", "proposer"]);

/** How a role receives a verb: as itself, or because it overhears what `to` receives. */
export interface Hearing {
  readonly verb: Verb;
  readonly to: RoleName;
  readonly isOverheard: boolean;
  readonly queue: boolean;
}

/** What a role receives from other roles. */
export function hearingsOf(role: RoleName): readonly Hearing[] {
  return (Object.entries(VERBS) as [Verb, VerbRow][]).flatMap(([verb, row]) => {
    const queue = row.queue === true;
    const own = row.to.includes(role) ? [{ verb, to: role, isOverheard: false, queue }] : [];
    const isOverheard = row.overheardBy?.includes(role) === true;
    const others = isOverheard ? row.to.map((to) => ({ verb, to, isOverheard, queue: false })) : [];
    return [...own, ...others];
  });
}

/** Says whether a role receives a message that was sent to `to`. */
export function hears(role: RoleName, verb: Verb, to: RoleName): boolean {
  const row = VERBS[verb];
  if (!row.to.includes(to)) return false;
  return role === to || row.overheardBy?.includes(role) === true;
}

/**
 * Says what a message shares with those it may be judged together with: messages of one verb and
 * one such key become one event. Null: judged alone.
 */
export function batchKey(message: Message): string | null {
  const { together } = VERBS[message.type];
  if (together === undefined) return null;
  if (together === "all" || !("ballot" in message)) return "";
  return `${message.ballot.round}.${message.ballot.owner}`;
}

/** Says whether the sender of a message waits for an answer under its `reply`. */
export function awaitsAnswer(
  message: Message,
): message is Extract<Message, { readonly reply: string }> {
  return VERBS[message.type].answered === true;
}

/** The verb by which a store that starts announces itself to every process. */
export const ANNOUNCEMENT_VERB = "hello" satisfies Verb;

/** Says whether a store that starts announces itself. */
export function isAnnouncement(message: Message): message is Hello {
  return message.type === ANNOUNCEMENT_VERB;
}

/** The verb by which a process objects to a store that starts. */
export const OBJECTION_VERB = "objection" satisfies Verb;

/** Objects to a store that starts. */
export function objectionOf(
  reason: Objection["reason"],
  { incarnation, writeNumber }: Pick<Objection, "incarnation" | "writeNumber">,
): Objection {
  return { type: OBJECTION_VERB, reason, incarnation, writeNumber };
}

/** A process that objects to a store speaks for what it received, not for a role of its own. */
export function witnessSender(process: string): Sender {
  const none = { storeId: null, incarnation: 0, writeNumber: 0 };
  return { role: "learner", id: "witness", ...none, process };
}

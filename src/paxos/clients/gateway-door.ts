/** Proposals that come without a session: the gateway brings them into the log in its own. */
import { invariant } from "../assert.js";
import { decodeCommand, encodeCommand } from "../command.js";
import type { Limits } from "../limits.js";
import type { ClientRequests } from "../wire/messages.js";
import { add } from "./gateway.js";
import type { GatewayState, Pending } from "./gateway-state.js";

/** Askers that are told of one request; of more only the latest, who still wait. */
const TOKENS_MAX = 8;

/** A proposal that came through the public door. */
export interface DoorProposal {
  readonly token: string;
  readonly id: string;
  readonly valueType: ClientRequests["requests"][number]["valueType"];
  readonly body: Uint8Array;
}

/**
 * Holds a proposal of somebody without a session. @returns false if there is no room
 *
 * Holds: the numbers held span no more than the results that the log's table keeps of one session;
 * a repeat of a request whose result was evicted would never be answered.
 */
export function holdProposal(
  state: GatewayState,
  proposal: DoorProposal,
  gateway: string,
  limits: Limits,
): boolean {
  const asked = proposal.id === "" ? undefined : state.byId.get(proposal.id);
  if (asked !== undefined) {
    asked.tokens.push(proposal.token);
    if (asked.tokens.length > TOKENS_MAX) asked.tokens.shift();
    return true;
  }
  if (state.heldBytes + proposal.body.length > limits.holdBytesMax) return false;
  const session = state.sessions.get(state.ownSession);
  if (session === undefined) return false;
  const [oldest] = session.pending.keys();
  const number = state.ownNumber + 1;
  if (oldest !== undefined && number - Math.max(oldest, 1) >= limits.sessionResultsMax)
    return false;
  state.ownNumber = number;
  const blob = encodeCommand({
    kind: "request",
    session: state.ownSession,
    openedIn: session.openedIn,
    number,
    answeredBelow: Math.max(oldest ?? number, 1),
    gateway,
    id: proposal.id,
    type: proposal.valueType,
    body: proposal.body.slice(),
  });
  const isKept =
    number - (session.pending.keys().next().value ?? number) <= limits.sessionResultsMax;
  invariant(isKept, "the table keeps the result of every request that is held");
  const { id, token } = proposal;
  const command = { session: state.ownSession, number, blob, tokens: [token], id };
  const pending = add(state, session, command);
  if (id !== "") state.byId.set(id, pending);
  return true;
}

/** The public requests that a held command stands for: one for each that asked. */
export function proposalsOf({ blob, tokens, id }: Pending): DoorProposal[] {
  const command = decodeCommand(blob);
  if (command.kind !== "request") return [];
  const { type: valueType, body } = command;
  return tokens.map((token) => ({ token, id, valueType, body }));
}

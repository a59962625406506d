/**
 * The session as a host runs it: the registry lists it, and a client runs it alone.
 */
import { type RoleDefinition, stateName } from "../../src/actor/role.js";
import { sessionStatus, sessionWaits } from "./context.js";
import { sessionMachine } from "./machine.js";

/** The client's half of at-most-once. */
export const session: RoleDefinition = {
  name: "session",
  machine: sessionMachine,
  stateful: false,
  hears: [{ verb: "session-opened" }, { verb: "results" }, { verb: "refused" }],
  status: (snapshot) => sessionStatus(snapshot.context),
  waits: (snapshot, nowMs) => sessionWaits(stateName(snapshot), snapshot.context, nowMs),
};

/** The session role as the registry and the client list it. */
import { type RoleDefinition, stateName } from "../../src/kernel/role.js";
import { sessionStatus, sessionWaits, showSession } from "./context.js";
import { sessionMachine } from "./machine.js";

/** Its caller brings the service that takes what becomes of requests: `sessionServices`. */
export const sessionRole: RoleDefinition = {
  name: "session",
  machine: sessionMachine,
  stateful: false,
  status: (snapshot) => sessionStatus(snapshot.context),
  show: (snapshot) => showSession(snapshot.context),
  waits: (snapshot, nowMs) => sessionWaits(stateName(snapshot), snapshot.context, nowMs),
};

/** A gateway that holds requests whose predecessors it has not. */
import { assign } from "xstate";
import type { GatewayContext } from "../../../actors/gateway/context.js";
import type { InboundOf } from "../../kernel/role.js";
import { attachSession } from "../../paxos/clients/gateway.js";
import type { ClientRequests } from "../../paxos/wire/messages.js";
import { type Broken, realAssign, replaceIn } from "./broken.js";
import { logScene } from "./scenes.js";

type Event = InboundOf<ClientRequests>;

export const gapHeld: Broken = {
  name: "gap-held",
  what: "a gateway holds requests behind a gap, and proposes them for ever if their client dies",
  roles: (real) => {
    const hold = realAssign<GatewayContext, Event>(real, "gateway", "holdRequests");
    const holdRequests = assign(({ context, event }: { context: GatewayContext; event: Event }) => {
      const { data } = context;
      for (const { from, message } of event.received) {
        if (!data.sessions.has(message.session)) attachSession(data, from.id, message.session);
        const session = data.sessions.get(message.session);
        const last = message.requests.at(-1);
        if (session !== undefined && last !== undefined) {
          session.highest = Math.max(session.highest, last.number);
        }
      }
      return hold({ context, event });
    });
    return replaceIn(real, "gateway", { actions: { holdRequests } });
  },
  hunt: {
    plan: logScene({
      weather: { loss: 0.3 },
      fault: (random) => ({ kind: "clientCrash", client: `c${1 + random.integer(2)}` }),
      faults: 10,
      requests: 100,
      restMs: 20_000,
    }),
    seedsMax: 20,
    catches: ["comesToRest"],
  },
};

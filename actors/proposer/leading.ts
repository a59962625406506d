/** What a leader says, and under which limits. */
import { broadcast, type Effect } from "../../src/actor/effect.js";
import { payloadBytesMaxOf } from "../../src/actor/role.js";
import type { Cluster } from "../../src/paxos/cluster.js";
import type { Message } from "../../src/paxos/messages.js";
import { limitsUnder } from "../../src/paxos/payload.js";
import { takeAnnouncements } from "../../src/paxos/proposer.js";
import type { ProposerContext } from "./context.js";

interface Args {
  readonly context: ProposerContext;
  readonly event: { readonly type: string };
}

/** What the leader announces at once when no `accept` goes out to carry it. */
export function announcements(context: ProposerContext): readonly Message[] {
  const ranges = takeAnnouncements(context.data, context.cluster);
  return ranges.length === 0 ? [] : [{ type: "chosen", ranges }];
}

/** Every message has one audience. */
export function toAudience(message: Message): Effect {
  return broadcast(message.type === "chosen" ? "learner" : "acceptor", message);
}

/** The leader's beacon. */
export function beacon({ context, event }: Args): Effect[] {
  const { data, cluster } = context;
  if (data.ballot === null) return [];
  const payloadBytesMax = payloadBytesMaxOf(event);
  const message: Message = {
    type: "beacon",
    ballot: data.ballot,
    nextSlot: data.nextSlot,
    chosenWatermark: data.chosenWatermark,
    creditBytes: Math.max(0, cluster.limits.queueBytesMax - data.queueBytes),
    payloadBytesMax: Number.isFinite(payloadBytesMax) ? payloadBytesMax : null,
    gateway: context.gateway,
  };
  const told = broadcast("learner", message);
  // All gateways go by this limit: nobody else would find out that it was raised.
  const isCut = limitsUnder(cluster.limits, payloadBytesMax) !== cluster.limits;
  return isCut ? [told, { kind: "checkPayload" }] : [told];
}

/** The cluster under the limits of this moment. */
export function clusterNow(
  { cluster }: ProposerContext,
  event: { readonly type: string },
): Cluster {
  const limits = limitsUnder(cluster.limits, payloadBytesMaxOf(event));
  return limits === cluster.limits ? cluster : { ...cluster, limits };
}

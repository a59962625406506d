/** What a leader says, and under which limits. */
import { broadcast, type Effect } from "../../src/kernel/effect.js";
import { payloadBytesMaxOf } from "../../src/kernel/role.js";
import type { Cluster } from "../../src/paxos/cluster.js";
import { takeAnnouncements } from "../../src/paxos/consensus/proposer.js";
import type { Message } from "../../src/paxos/wire/messages.js";
import { limitsUnder } from "../../src/paxos/wire/payload.js";
import type { ProposerContext } from "./context.js";

/**
 * Beacons with nothing under way after which a leader is at rest. Each of them brings a message
 * that was lost; later ones are signs of life.
 */
const REST_AFTER = 10;

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

/** Counts the beacon that goes out now, if nothing is under way. */
export function restBeacons({ data, restBeacons: before }: ProposerContext): number {
  return data.open.size === 0 && data.queue.length === 0 ? before + 1 : 0;
}

/** Says whether nothing was proposed for so long that fewer beacons do. */
function isAtRest({ restBeacons }: ProposerContext): boolean {
  return restBeacons >= REST_AFTER;
}

/**
 * How long a leader waits before the next beacon. At rest twice as long: each beacon wakes every
 * process. Not so long that acceptors, or electors, take it for silent before the next one comes.
 */
export function pauseMs(context: ProposerContext): number {
  const { beaconMs, silenceMs, suspectMs } = context.cluster.limits;
  if (!isAtRest(context)) return beaconMs;
  const heardMs = Math.floor((2 * Math.min(silenceMs, suspectMs)) / 3);
  return Math.max(beaconMs, Math.min(2 * beaconMs, heardMs));
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

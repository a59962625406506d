/**
 * Where a session is served best: by the gateway in the leader's process, where there is one. A
 * lone command then goes client → leader's process → acceptors → leader's process → client.
 */
import type { SessionContext } from "./context.js";

/** How long a session keeps away from a gateway that fell silent or stopped, in retry delays. */
const AWAY_DELAYS = 40;

type Known = Pick<SessionContext, "gateway" | "leaderGateway" | "left" | "data">;

/** The gateway to move to; null: the session is where it should be, or nobody knows better. */
function betterGateway({ gateway, leaderGateway, left }: Known, nowMs: number) {
  if (leaderGateway === null || leaderGateway === gateway) return null;
  const isAway = left?.gateway === leaderGateway && nowMs < left.untilMs;
  return isAway ? null : leaderGateway;
}

/**
 * Says where the next requests go, and whether new ones may go now.
 *
 * Why none while some are open: those that went another way would overtake them, come too early,
 * and be sent again.
 */
export function nextGateway(
  known: Known,
  nowMs: number,
): { readonly gateway: string | null; readonly mayBegin: boolean } {
  const better = betterGateway(known, nowMs);
  if (better === null) return { gateway: known.gateway, mayBegin: true };
  const isFree = known.data.open.size === 0;
  return { gateway: isFree ? better : known.gateway, mayBegin: isFree };
}

/** Notes that the gateway fell silent or stops: others may still name it for a while. */
export function leave({ gateway, left, limits }: SessionContext, nowMs: number) {
  if (gateway === null) return left;
  return { gateway, untilMs: nowMs + AWAY_DELAYS * limits.retryDelayMs };
}

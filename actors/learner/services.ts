/** What only a learner needs: the public feed of chosen values. */

import { Feed } from "../../src/kernel/bus/feed.js";
import { doorSubject } from "../../src/kernel/bus/subject.js";
import type { Effect, FeedEntry } from "../../src/kernel/effect.js";
import type { Services, ServiceTools } from "../../src/kernel/role.js";

const PUBLISH = "publish";

/** Publishes chosen values on the public feed, in this order. */
export const publish = (entries: readonly FeedEntry[]): Effect => ({
  kind: "service",
  name: PUBLISH,
  request: entries,
});

/** Returns what an effect publishes; null for any other effect. */
export function publishedBy(effect: Effect): readonly FeedEntry[] | null {
  if (effect.kind !== "service" || effect.name !== PUBLISH) return null;
  return effect.request as readonly FeedEntry[];
}

/** The services of one learner. */
export function learnerServices(tools: ServiceTools): Services {
  const feed = new Feed({
    ...tools,
    subject: doorSubject(tools.space, `chosen.${tools.id}`),
    tooLarge: (bytes) => tools.noteOverLimit("the feed", bytes),
  });
  return {
    byName: { [PUBLISH]: (entries: readonly FeedEntry[]) => feed.publish(entries) },
    close: () => feed.close(),
  };
}

/** A crowd: strangers that open so many sessions at once that others are evicted from the table. */

import type { SeededRandom } from "../../adapters/memory/random.js";
import { subjectOf } from "../../kernel/bus/subject.js";
import type { Codec } from "../../kernel/ports.js";
import type { Sender } from "../../paxos/wire/messages.js";
import type { World } from "../world/world.js";

/** Sends the openings. @param sessions how many */
export function openSessions(
  world: World,
  codec: Codec,
  random: SeededRandom,
  sessions: number,
): void {
  const link = world.bus.connect("crowd");
  const space = { prefix: "synod", cluster: world.cluster.name };
  const nobody = { storeId: null, incarnation: 0, writeNumber: 0 };
  for (let n = 0; n < sessions; n++) {
    const session = random.hex(16);
    const sender: Sender = { role: "session", id: session, ...nobody, process: random.hex(8) };
    const subject = subjectOf(space, "gateway", "open-session", "all", session);
    link.publish(subject, codec.encode(sender, 1, { type: "open-session", session, fresh: true }));
  }
  // What it said is on its way; it does not wait for an answer.
  link.vanish();
}

/**
 * A liar: signs as an elector, names candidates at random, and suspects the leader it hears.
 * Election is only a hint.
 */

import type { SeededRandom } from "../../adapters/memory/random.js";
import { subjectOf } from "../../kernel/bus/subject.js";
import type { Codec } from "../../kernel/ports.js";
import type { Ballot } from "../../paxos/ballot.js";
import type { Sender } from "../../paxos/wire/messages.js";
import { pick } from "../plan/setup.js";
import type { Coverage } from "../world/coverage.js";
import type { World } from "../world/world.js";

/** Starts it. @returns ends it */
export function startLiar(
  world: World,
  codec: Codec,
  random: SeededRandom,
  everyMs: number,
  coverage: Coverage,
): () => void {
  const { cluster, clock, bus } = world;
  const link = bus.connect("liar");
  const nobody = { storeId: null, incarnation: 0, writeNumber: 0 };
  const sender: Sender = { role: "elector", id: "liar", ...nobody, process: random.hex(8) };
  const space = { prefix: "synod", cluster: cluster.name };
  const subject = subjectOf(space, "proposer", "hint", "all", "liar");
  let suspects: Ballot | null = null;
  link.subscribe(subjectOf(space, "learner", "beacon", "all", "*"), ({ payload }) => {
    const read = codec.decode("beacon", payload);
    if ("message" in read && read.message.type === "beacon") suspects = read.message.ballot;
  });
  let isOver = false;
  const say = () => {
    if (isOver) return;
    const candidate = pick(random, cluster.proposers).id;
    link.publish(subject, codec.encode(sender, 1, { type: "hint", candidate, suspects }));
    coverage.count("lying hints");
    clock.setTimer(everyMs, say);
  };
  say();
  return () => {
    isOver = true;
    link.vanish();
  };
}

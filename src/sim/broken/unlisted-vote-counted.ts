/** An intake that does not ask from which store a vote comes. */

import { parseSubject, subjectOf } from "../../kernel/bus/subject.js";
import type { Codec, Incoming } from "../../kernel/ports.js";
import { storeIdOf } from "../../paxos/cluster.js";
import type { Message, Sender } from "../../paxos/wire/messages.js";
import type { Run } from "../run/run.js";
import type { Broken } from "./broken.js";
import { keyScene } from "./scenes.js";

/** Reads every message as if it came from the store that the descriptor lists. */
function blind(codec: Codec, listed: (sender: Sender) => string | undefined): Codec {
  return {
    encode: (sender, lc, message) => codec.encode(sender, lc, message),
    decode: (verb, payload) => {
      const read = codec.decode(verb, payload);
      if ("fault" in read) return read;
      const storeId = listed(read.sender) ?? read.sender.storeId;
      return { ...read, sender: { ...read.sender, storeId } };
    },
  };
}

/** An acceptor under the name of a1, on a store that nobody lists: it votes for everything. */
function startStranger({ world }: Run): void {
  const { cluster, bus, codec } = world;
  const link = bus.connect("stranger");
  const space = { prefix: "synod", cluster: cluster.name };
  const process = "f".repeat(16);
  const storeId = "f".repeat(32);
  const sender: Sender = {
    role: "acceptor",
    id: "a1",
    storeId,
    incarnation: 0,
    writeNumber: 0,
    process,
  };
  const answer = ({ subject, payload }: Incoming) => {
    const route = parseSubject(space, subject);
    const read = route === undefined ? undefined : codec.decode(route.verb, payload);
    if (read === undefined || !("message" in read)) return;
    const vote = voteFor(read.message);
    if (vote === null) return;
    const to = subjectOf(space, read.sender.role, vote.type, read.sender.id, "a1");
    link.publish(to, codec.encode(sender, 1, vote));
  };
  for (const verb of ["key-accept", "key-prepare"] as const) {
    link.subscribe(subjectOf(space, "acceptor", verb, "all", "*"), answer);
  }
}

function voteFor(message: Message): Message | null {
  if (message.type === "key-prepare") {
    return { type: "key-promise", key: message.key, ballot: message.ballot, vote: null };
  }
  if (message.type !== "key-accept") return null;
  const { key, ballot, digest } = message;
  return { type: "key-accepted", key, ballot, digest };
}

export const unlistedVoteCounted: Broken = {
  name: "unlisted-vote-counted",
  what: "the vote of a store that the descriptor does not list counts as its namesake's",
  ports: {
    wrapCodec: (codec, cluster) =>
      blind(codec, ({ role, id }) => storeIdOf(cluster, role, id) ?? undefined),
  },
  hunt: {
    plan: keyScene({ syncMs: 20 }),
    onReady: startStranger,
    seedsMax: 10,
    // Its promises count, too.
    catches: ["phase2a", "learnedIsChosen", "P2b", "P2c"],
  },
};

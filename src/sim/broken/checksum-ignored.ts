/** A codec that reads a message whose checksum is wrong as if it were right. */

import { seal } from "../../adapters/msgpackr/checksum.js";
import type { Codec } from "../../kernel/ports.js";
import type { Broken } from "./broken.js";
import { logScene } from "./scenes.js";

/** Gives every damaged message the checksum of what it says now. */
function credulous(codec: Codec): Codec {
  return {
    encode: (sender, lc, message) => codec.encode(sender, lc, message),
    decode: (verb, payload) => {
      const read = codec.decode(verb, payload);
      if (!("fault" in read) || read.fault !== "wrong_checksum") return read;
      const resealed = payload.slice();
      seal(resealed);
      return codec.decode(verb, resealed);
    },
  };
}

export const checksumIgnored: Broken = {
  name: "checksum-ignored",
  what: "a message that was damaged on its way is believed",
  ports: { wrapCodec: credulous },
  hunt: {
    plan: logScene({ weather: { flip: 0.2 }, requests: 80 }),
    seedsMax: 10,
    catches: [
      "votesWereProposed",
      "acknowledgedIsChosen",
      "receiptsNameVoters",
      "promiseReportsVotes",
      "learnedIsChosen",
      "phase2a",
      "P2b",
      "liveness",
    ],
  },
};

/** An acceptor that speaks before its disk has it. */
import type { Broken } from "./broken.js";
import { logScene } from "./scenes.js";

export const replyBeforeSync: Broken = {
  name: "reply-before-sync",
  what: "every message leaves at once, whatever is still being written",
  world: "decide-crash",
  overtakes: () => true,
  hunt: { plan: logScene({}), seedsMax: 5, catches: ["durableBeforeSpoken"] },
};

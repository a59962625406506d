/** An acceptor whose answers without a write of their own do not wait for the write in flight. */
import type { Broken } from "./broken.js";
import { logScene } from "./scenes.js";

export const repeatBeforeSync: Broken = {
  name: "repeat-before-sync",
  what: "an answer that needs no write leaves before the sync in flight that it rests on",
  world: "decide-crash",
  overtakes: (_effect, writes) => !writes,
  hunt: {
    plan: logScene({ weather: { repeat: 0.3 }, syncMs: 20 }),
    seedsMax: 5,
    catches: ["durableBeforeSpoken"],
  },
};

/** An acceptor that keeps votes but no promises. */
import { NOTHING } from "../../kernel/effect.js";
import { type Broken, replaceIn } from "./broken.js";
import { logScene } from "./scenes.js";

type Args = { context: { records: unknown[] }; event: { type: string } };

export const promiseNotPersisted: Broken = {
  name: "promise-not-persisted",
  what: "an acceptor promises without writing it down",
  world: "decide-crash",
  roles: (real) =>
    replaceIn(real, "acceptor", {
      actions: {
        persistRecords: ({ context: { records }, event }: Args) =>
          /prepare$/.test(event.type) || records.length === 0
            ? NOTHING
            : [{ kind: "persist", records }],
      },
    }),
  hunt: { plan: logScene({}), seedsMax: 5, catches: ["durableBeforeSpoken"] },
};

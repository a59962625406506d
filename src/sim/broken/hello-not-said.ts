/** An acceptor that starts without a word, so that nobody can object to its store. */
import { NOTHING } from "../../kernel/effect.js";
import { type Broken, replaceIn } from "./broken.js";
import { anAcceptor, logScene } from "./scenes.js";

export const helloNotSaid: Broken = {
  name: "hello-not-said",
  what: "an acceptor starts on an older copy of its store without asking who has seen a later one",
  roles: (real) => replaceIn(real, "acceptor", { actions: { sayHello: () => NOTHING } }),
  hunt: {
    plan: logScene({
      fault: (random) => ({ kind: "olderCopy", acceptor: anAcceptor(random), backMs: 100 }),
      faults: 3,
    }),
    seedsMax: 10,
    catches: ["olderCopyIsSilent"],
  },
};

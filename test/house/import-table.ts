/**
 * One row of the table: what the files of a folder may import.
 *
 * `files` and `may` are paths. One that ends in `/` is a folder, one that ends in `/.` is the files
 * of a folder without those below it; any other is a module (or the folder of that name), without
 * extension. In `files`, `*` is one path part; in `may`, `{1}` is
 * what the first `*` stood for. Whatever is not a path in `may` is a package, with its subpaths;
 * `node:` is every built-in, `*` every package.
 */
export interface Row {
  readonly files: string;
  readonly may: readonly string[];
  /** Paths among those of `may` that are forbidden all the same. */
  readonly never?: readonly string[];
  /** Packages of `may` of which only these names may be imported as values. */
  readonly only?: Readonly<Record<string, readonly string[]>>;
}

const everywhere = ["src/", "actors/"];
/** Things that are broken on purpose: nothing that serves anybody may reach them. */
const broken = ["src/sim/broken/"];
/** A chart is written with these; an operator of XState that decides belongs into a rule. */
const chartWords = { xstate: ["setup", "assign", "raise", "assertEvent"] };

/** The nouns of the protocol, and what is said and stored of them: what everybody may know. */
const nouns = "src/paxos/.";
const wire = "src/paxos/wire/";
const consensus = ["src/paxos/consensus/", "src/paxos/single/"];

/** What a world without a real clock, disk or network is built of. */
const deterministic = [
  "src/paxos/",
  "src/kernel/",
  "src/trace/",
  "src/judge/",
  "actors/index",
  "src/replicated/",
  "src/client/",
  "src/adapters/memory/",
  "src/adapters/msgpackr/",
];

/** Who may import whom. The first row that fits a file is the one that counts. */
export const table: readonly Row[] = [
  // The rules, downwards: nouns ← wire ← consensus, single ← log ← clients ← proof.
  { files: "src/paxos/wire/", may: [nouns, wire] },
  { files: "src/paxos/consensus/", may: [nouns, wire, "src/paxos/consensus/"] },
  { files: "src/paxos/single/", may: [nouns, wire, "src/paxos/single/"] },
  { files: "src/paxos/log/", may: [nouns, wire, ...consensus, "src/paxos/log/"] },
  {
    files: "src/paxos/clients/",
    may: [nouns, wire, ...consensus, "src/paxos/log/", "src/paxos/clients/"],
  },
  { files: "src/paxos/proof/", may: ["src/paxos/"] },
  { files: "src/paxos/", may: [nouns] },

  // XState is kept behind four files of the kernel, so that its next version touches nothing else.
  ...["step", "compiler", "table", "role"].map((file) => ({
    files: `src/kernel/${file}`,
    may: [nouns, wire, "src/kernel/", "xstate"],
  })),
  { files: "src/kernel/", may: [nouns, wire, "src/kernel/"] },

  // Observers that know Paxos: they see what the kernel shows any observer.
  {
    files: "src/trace/",
    may: [
      "src/trace/",
      "src/paxos/",
      "src/kernel/observer",
      "src/kernel/effect",
      "src/kernel/role",
      "src/kernel/step",
      "src/kernel/store/store",
    ],
  },
  // It judges what others wrote, so it knows none of them.
  { files: "src/judge/", may: ["src/judge/"] },

  // Services use the ports of the process.
  { files: "actors/*/services", may: ["actors/{1}/", "src/paxos/", "src/kernel/"] },
  {
    files: "actors/*/",
    may: [
      "actors/{1}/",
      "src/paxos/",
      "src/kernel/effect",
      "src/kernel/role",
      "src/kernel/show",
      "xstate",
    ],
    only: chartWords,
  },
  // The registry, which alone knows every role, and the doors they open (ports: what comes in).
  {
    files: "actors/",
    may: [
      "actors/",
      "src/paxos/",
      "src/kernel/effect",
      "src/kernel/role",
      "src/kernel/ports",
      "xstate",
    ],
    only: chartWords,
  },

  // Adapters: the ports they serve, the shapes they carry, their own package, never each other.
  {
    files: "src/adapters/nats/",
    may: ["src/adapters/nats/", "src/kernel/ports", nouns, wire, "nats", "node:"],
  },
  {
    files: "src/adapters/msgpackr/",
    may: [
      "src/adapters/msgpackr/",
      "src/kernel/ports",
      nouns,
      wire,
      "msgpackr",
      "@sinclair/typebox",
      "node:",
    ],
  },
  // A data folder is a disk with the store rules on top, so it makes and opens stores.
  {
    files: "src/adapters/lmdb/",
    may: [
      "src/adapters/lmdb/",
      "src/kernel/ports",
      "src/kernel/store/store",
      "src/kernel/store/move",
      "src/kernel/store/refusal",
      nouns,
      wire,
      "lmdb",
      "node:",
    ],
  },
  {
    files: "src/adapters/pino/",
    may: ["src/adapters/pino/", "src/kernel/ports", nouns, wire, "pino", "node:"],
  },
  // What Node itself gives: time and randomness.
  { files: "src/adapters/node/", may: ["src/adapters/node/", "src/kernel/ports", "node:"] },
  // Deterministic twins: no package, and no built-in that could smuggle in a clock.
  {
    files: "src/adapters/memory/",
    may: ["src/adapters/memory/", "src/kernel/ports", nouns, wire],
  },

  { files: "src/broker/", may: ["src/broker/", "node:"] },
  { files: "src/replicated/", may: ["src/replicated/", "src/paxos/"] },
  // The whole of src/kernel: a client runs its session chart with the kernel. It writes histories
  // in the format of their judge.
  {
    files: "src/client/",
    may: [
      "src/client/",
      "src/paxos/",
      "src/kernel/",
      "actors/session/",
      "src/replicated/",
      "src/judge/format",
    ],
  },
  // Negative controls put a broken action or guard into a chart, so they write some.
  {
    files: "src/sim/broken/",
    may: ["src/sim/", ...deterministic, "actors/", "xstate"],
    only: chartWords,
  },
  // The simulator: world ← plan ← faults; world ← monitor; a run has all of them.
  {
    files: "src/sim/world/",
    may: ["src/sim/world/", ...deterministic, "actors/session/services"],
  },
  // Where roles run is one thing, in a worker and in the simulator.
  {
    files: "src/sim/plan/",
    may: ["src/sim/plan/", "src/sim/world/", ...deterministic, "src/worker/placement"],
  },
  {
    files: "src/sim/faults/",
    may: ["src/sim/faults/", "src/sim/plan/", "src/sim/world/", ...deterministic],
  },
  {
    files: "src/sim/monitor/",
    may: ["src/sim/monitor/", "src/sim/world/", ...deterministic],
  },
  { files: "src/sim/", may: ["src/sim/", ...deterministic, "actors/acceptor/services"] },
  { files: "src/lab/", may: ["src/lab/", ...deterministic] },

  // The one file of src/charts that touches a disk: `npm run charts`.
  { files: "src/charts/write", may: ["src/charts/", "actors/index", "node:"] },
  {
    files: "src/charts/",
    may: ["src/charts/", "actors/index", "src/paxos/wire/verbs", "xstate"],
    only: { xstate: [] },
  },

  // Composition: every folder of ours; packages only where they are that folder's business.
  {
    files: "src/worker/",
    may: [...everywhere, "node:", "yaml", "@sinclair/typebox"],
    never: broken,
  },
  // The two commands that look for what is broken, and the threads of one of them.
  { files: "src/cli/sim", may: [...everywhere, "node:", "commander"] },
  { files: "src/cli/sim-hunter", may: [...everywhere, "node:"] },
  { files: "src/cli/explore", may: [...everywhere, "node:", "commander"] },
  { files: "src/cli/", may: [...everywhere, "node:", "commander"], never: broken },
  { files: "src/inspector/", may: [...everywhere, "node:"], never: broken },
  { files: "src/index", may: everywhere, never: broken },
  { files: "test/", may: [...everywhere, "test/", "node:", "*"] },
];

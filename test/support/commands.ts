/** The commands of scenario scripts, and what each does on the stage. */
import type { Cluster } from "../../src/paxos/cluster.js";
import type { Limits } from "../../src/paxos/limits.js";
import { clusterOf, type Setup } from "../../src/sim/plan/setup.js";
import type { Script } from "./script.js";
import { Stage } from "./stage.js";

const SETUP: Setup = {
  family: "mixed",
  acceptors: 3,
  proposers: 2,
  quorums: { kind: "majority" },
  learn: { kind: "leader" },
  placement: "separated",
  limits: {},
  rates: {},
};

/** What a script is played on. */
interface Play {
  setup: Setup;
  seed: number;
  stage: Stage | null;
  lines: string[];
  isQuiet: boolean;
}

type Command = readonly [pattern: RegExp, run: (play: Play, ...words: string[]) => void];

const on =
  (run: (stage: Stage, ...words: string[]) => void): Command[1] =>
  (play, ...words) =>
    run(stageOf(play), ...words);

const names = (words = "") => words.split(/[\s,]+/).filter((word) => word !== "");
const whoever = (name: string | undefined) =>
  name === undefined || name === "*" ? undefined : name;
const times = (count: string | undefined) =>
  count === undefined ? Number.POSITIVE_INFINITY : Number(count);

function each(words: string | undefined, run: (name: string) => void): void {
  for (const name of names(words)) run(name);
}

/** Every command: how it is written, and what it does. */
const COMMANDS: readonly Command[] = [
  [/^(acceptors|proposers) (\d)$/, (play, what, count) => set(play, { [what]: Number(count) })],
  [
    /^quorums flexible (\d) (\d)$/,
    (play, one, two) =>
      set(play, { quorums: { kind: "flexible", phase1: Number(one), phase2: Number(two) } }),
  ],
  [
    /^quorums grid (.+)$/,
    (play, rows) => set(play, { quorums: { kind: "grid", rows: rows.split(" / ").map(names) } }),
  ],
  [/^learn all$/, (play) => set(play, { learn: { kind: "all" } })],
  [
    /^learn some (.+)$/,
    (play, who) => set(play, { learn: { kind: "some", learners: names(who) } }),
  ],
  [
    /^limit (\w+) (\d+)$/,
    (play, name, value) =>
      set(play, { limits: { ...play.setup.limits, [name as keyof Limits]: Number(value) } }),
  ],
  [/^seed (\d+)$/, (play, seed) => void Object.assign(play, { seed: Number(seed) })],
  [/^quiet$/, (play) => void Object.assign(play, { isQuiet: true })],

  [/^start (\w+): (.+)$/, on((stage, name, roles) => stage.start(name as string, names(roles)))],
  [/^(?:re)?start (.+)$/, on((stage, who) => each(who, (one) => stage.start(one)))],
  [/^kill (.+)$/, on((stage, who) => each(who, (one) => stage.world.kill(one)))],
  [
    /^crash (\w+) (before|after) sync$/,
    on((stage, who, when) => stage.crash(who as string, when === "after")),
  ],
  [/^stop (\w+) for (\d+)$/, on((stage, who, ms) => stage.stall(who as string, Number(ms)))],
  [/^twin (\w+)$/, on((stage, who) => stage.twin(who as string, false))],

  [/^wait (\d+)$/, on((stage, ms) => stage.wait(Number(ms)))],
  [/^wait for answers$/, on((stage) => stage.until(() => stage.open === 0, "no answer"))],

  [
    /^(\w+) decides (\w+) = (.+)$/,
    on((stage, client, key, value) => ask(stage, client, { kind: "decide", key, value })),
  ],
  [
    /^(\w+) gets (\w+)$/,
    on((stage, client, key) => ask(stage, client, { kind: "decide", key, value: null })),
  ],
  [
    /^(\w+) submits (.+)$/,
    on((stage, client, values) => {
      for (const value of names(values)) ask(stage, client, { kind: "submit", value });
    }),
  ],
  [
    /^(\w+) proposes (\w+)( with an id)?$/,
    on((stage, client, value, id) =>
      ask(stage, client, { kind: "propose", value, hasId: id !== undefined }),
    ),
  ],
  [/^hint (\w+)$/, on((stage, who) => stage.hint(who as string))],

  [
    /^lose (?:(\d+) )?([\w-]+) from (\S+) to (\S+)$/,
    on((stage, count, verb, from, to) =>
      rule(stage, { verb, from, to, left: times(count), copies: [] }),
    ),
  ],
  [
    /^delay (?:(\d+) )?([\w-]+) from (\S+) to (\S+) by (\d+)$/,
    on((stage, count, verb, from, to, ms) =>
      rule(stage, { verb, from, to, left: times(count), copies: [Number(ms)] }),
    ),
  ],
  [
    /^repeat (?:(\d+) )?([\w-]+) from (\S+) to (\S+)$/,
    on((stage, count, verb, from, to) =>
      rule(stage, { verb, from, to, left: times(count), copies: [1, 2] }),
    ),
  ],
  [
    /^block (\w+) (to|and) (\w+)$/,
    on((stage, from, way, to) => {
      const all = { left: times(undefined), copies: [] };
      stage.rules.push({ from, to, ...all });
      if (way === "and") stage.rules.push({ from: to, to: from, ...all });
    }),
  ],
  [/^heal$/, on((stage) => void stage.rules.splice(0))],

  [/^full (\w+)$/, on((stage, who) => room(stage, who, (file) => file.bytes))],
  [/^room (\w+)$/, on((stage, who) => room(stage, who, () => Number.POSITIVE_INFINITY))],
  [/^fail sync of (\w+)$/, on((stage, who) => stage.file(who as string).trouble("failed"))],
  [
    /^wipe (\w+)$/,
    on((stage, who) => stage.replace(who as string, stage.emptyStore(who as string))),
  ],
  [
    /^copy (\w+)$/,
    on((stage, who) => stage.replace(who as string, stage.copyStore(who as string))),
  ],
  [/^back up (\w+)$/, on((stage, who) => stage.backup(who as string))],
  [
    /^put back (\w+)$/,
    on((stage, who) => {
      stage.replace(who as string, stage.kept(who as string));
      stage.mute(who as string);
    }),
  ],
  [
    /^log$/,
    (play) => {
      const stage = stageOf(play);
      let values: readonly string[] | null = null;
      stage.history((told) => {
        values = told;
      });
      stage.until(() => values !== null, "nobody answers history");
      stage.story.note("LOG", (values ?? ([] as readonly string[])).join(", "));
    },
  ],
];

/** Plays a script from its start. @returns it, with what was seen now; and the stage as it ends */
export function play(script: Script): { readonly seen: Script; readonly stage: Stage } {
  const now: Play = { setup: SETUP, seed: 1, stage: null, lines: [], isQuiet: false };
  const blocks = script.blocks.map(({ commands }) => {
    now.isQuiet = false;
    now.lines = [];
    if (now.stage !== null) now.stage.story.beginClock();
    for (const command of commands) run(now, command);
    now.stage?.story.end();
    return { commands, seen: now.isQuiet || now.lines.length === 0 ? ["ok"] : now.lines };
  });
  return { seen: { head: script.head, blocks }, stage: stageOf(now) };
}

function run(now: Play, text: string): void {
  for (const [pattern, command] of COMMANDS) {
    const words = pattern.exec(text)?.slice(1);
    if (words === undefined) continue;
    command(now, ...words);
    return;
  }
  throw new Error(`no such command: ${text}`);
}

function set(now: Play, change: Partial<Setup>): void {
  if (now.stage !== null) throw new Error("a cluster is described before it starts");
  now.setup = { ...now.setup, ...change };
}

function stageOf(now: Play): Stage {
  const cluster: Cluster = clusterOf(now.setup);
  now.stage ??= new Stage(cluster, now.seed, (line) => now.lines.push(line.trimEnd()));
  return now.stage;
}

function ask(stage: Stage, client: string | undefined, request: Parameters<Stage["ask"]>[1]): void {
  stage.ask(client ?? "", request);
}

function rule(stage: Stage, made: Stage["rules"][number]): void {
  stage.rules.push({ ...made, from: whoever(made.from), to: whoever(made.to) });
}

function room(
  stage: Stage,
  id: string | undefined,
  max: (file: ReturnType<Stage["file"]>) => number,
) {
  const file = stage.file(id ?? "");
  file.bytesMax = max(file);
}

/**
 * Chaos: a fleet on three nats-servers under load, while a schedule of faults runs its course.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, HistoryFile, type Synod } from "../../../src/index.js";
import { checkHistory } from "../../../src/sim/linearizability/check.js";
import { type Processes, type Running, until, whyNoMounts } from "../../cli/processes.js";
import { emptyDisk, fillDisk } from "../../support/ballast.js";
import { type NatsServerProcess, startNatsCluster } from "../../support/nats-server.js";
import { TcpProxy } from "../../support/tcp-proxy.js";
import { slowMs } from "../cluster.js";
import { type Crew, colocated, Fleet, fleetCluster, separated } from "../fleet.js";
import { type Load, startLoad } from "./load.js";
import { drawSchedule, type Fault, type FaultKind, faultKinds, type Targets } from "./schedule.js";

/** How to make chaos. */
export interface ChaosOptions {
  readonly seed: string;
  readonly placement: keyof typeof castings;
  /** Milliseconds of faults. */
  readonly durationMs: number;
  /** File for the history of proposals; that of keys goes beside it (`.decide`). */
  readonly history?: string | undefined;
  /** Hears what happens, as it happens. */
  readonly say: (line: string) => void;
}

/** What came of it. */
export interface ChaosOutcome {
  readonly failures: readonly string[];
  readonly faults: Readonly<Record<FaultKind, number>>;
  readonly counts: Readonly<Record<string, number>>;
  /** Why a kind of fault was left out. */
  readonly leftOut: readonly string[];
}

/** Who is who in a fleet. */
interface Casting {
  readonly crews: readonly Crew[];
  /** Has a disk of its own, which can be filled. */
  readonly small: string;
  /** Workers that are ended so that `l1` is the only learner. */
  readonly others: readonly string[];
  /** The worker of `l1`, and those that take over from it with nothing remembered. */
  readonly first: string;
  readonly anew: readonly string[];
}

/** What can be run, by placement. */
export const castings = {
  separated: {
    crews: separated,
    small: "a3",
    others: ["l2", "g1"],
    first: "l1",
    anew: ["l2"],
  },
  colocated: {
    crews: colocated,
    small: "node3",
    others: ["node2", "node3"],
    first: "node1",
    anew: ["node2", "node3"],
  },
} as const satisfies Record<string, Casting>;

const ballast = "ballast";
const pressBytes = 300_000;
const keepFreeKiB = 64;
const load = { clients: 4, pipeline: 2, valueBytes: [50, 300, 50, 4000] };
/** Bytes of values that learners keep; the load must not come near (src/paxos/limits.ts). */
const loadBytesMax = 150 * 2 ** 20;

/** One run. */
export class Chaos {
  readonly #options: ChaosOptions;
  readonly #processes: Processes;
  readonly #servers: NatsServerProcess[] = [];
  readonly #failures: string[] = [];
  readonly #faults = Object.fromEntries(faultKinds.map((kind) => [kind, 0])) as Record<
    FaultKind,
    number
  >;
  readonly #counts = { elections: 0, nacks: 0, refusing: 0 };
  readonly #noMounts = whyNoMounts();
  /** Instances that were ended on purpose. */
  readonly #killed = new Set<Running>();
  readonly #paused = new Set<number>();
  #cable: TcpProxy | undefined;
  #fleet: Fleet | undefined;
  #watcher: Synod | undefined;
  #load: Load | undefined;

  constructor(processes: Processes, options: ChaosOptions) {
    this.#processes = processes;
    this.#options = options;
  }

  /** Folder of the fleet, once there is one. */
  get folder(): string | undefined {
    return this.#fleet?.cwd;
  }

  /** Runs it to its verdict. */
  async run(): Promise<ChaosOutcome> {
    const { seed, durationMs } = this.#options;
    await this.#begin();
    const schedule = drawSchedule(seed, durationMs, this.#targets());
    const beginMs = performance.now();
    const healing: Promise<void>[] = [];
    for (const fault of schedule) {
      await sleep(beginMs + fault.atMs - performance.now());
      const seconds = (fault.atMs / 1000).toFixed(1);
      this.#say(`+${seconds} s ${fault.kind} ${fault.target} for ${fault.forMs} ms`);
      healing.push(this.#suffer(fault));
    }
    await Promise.all(healing);
    this.#say(`+${((performance.now() - beginMs) / 1000).toFixed(1)} s healed`);
    await this.#settle();
    this.#say(`+${((performance.now() - beginMs) / 1000).toFixed(1)} s every role serves`);
    const outcome = await this.#judge();
    this.#say(`+${((performance.now() - beginMs) / 1000).toFixed(1)} s judged`);
    return outcome;
  }

  /** Ends all that does not end with the processes. */
  async end(): Promise<void> {
    for (const pid of this.#paused) signal(pid, "SIGCONT");
    await this.#watcher?.close().catch(() => {});
    await this.#load?.close().catch(() => {});
    await this.#processes.clear();
    for (const { file } of this.#histories.splice(0)) file.close();
    await this.#cable?.close();
    await Promise.all(this.#servers.map((server) => server.stop()));
  }

  /** Writes what every worker said into a folder. */
  writeLogs(folder: string): void {
    for (const [name, runs] of this.#said) {
      writeFileSync(join(folder, `${name}.log`), runs.map(({ stderr }) => stderr).join("\n---\n"));
    }
  }

  readonly #said = new Map<string, Running[]>();

  async #begin(): Promise<void> {
    const { durationMs } = this.#options;
    let behind = 0;
    this.#cable = await TcpProxy.start(() => behind);
    const onLast = (port: number) => {
      behind = port;
    };
    this.#servers.push(...(await startNatsCluster(3, { lastVia: this.#cable.port, onLast })));
    const nats = this.#servers.map(({ url }) => url).join(",");
    const diskKiB = 32 * 1024 + Math.ceil(durationMs / 1000) * 1024;
    const crews = this.#casting.crews.map((crew) =>
      crew.name === this.#casting.small && this.#noMounts === undefined
        ? { ...crew, diskKiB }
        : crew,
    );
    this.#fleet = await Fleet.start(this.#processes, nats, crews);
    for (const name of this.#fleet.names) this.#watch(name, this.#fleet.worker(name));
    this.#watcher = await connect({ cluster: fleetCluster, nats, timeoutMs: slowMs });
    // A long run must not outgrow what learners remember.
    const bytes = load.valueBytes.reduce((sum, size) => sum + size + 100, 0) * load.pipeline;
    const pauseMs = Math.max(20, Math.ceil((durationMs * bytes) / loadBytesMax));
    const { history = join(this.#fleet.cwd, "history") } = this.#options;
    this.#histories.push(
      { path: history, file: HistoryFile.open(history, { model: "propose" }) },
      {
        path: `${history}.decide`,
        file: HistoryFile.open(`${history}.decide`, { model: "decide" }),
      },
    );
    const histories = this.#histories.map(({ file }) => file);
    this.#load = await startLoad({ cluster: fleetCluster, nats, ...load, pauseMs, histories });
    this.#say(`seed ${this.#options.seed}: the cluster is up in ${this.#fleet.cwd}`);
  }

  #targets(): Targets {
    const workers = this.#theFleet.names;
    const servers = ["n1", "n2", "n3"];
    return {
      kill: workers,
      pause: workers,
      "kill-server": servers,
      "pause-server": servers,
      "cut-server": ["n3"],
      fill: this.#noMounts === undefined ? [this.#casting.small] : [],
    };
  }

  async #suffer(fault: Fault): Promise<void> {
    this.#faults[fault.kind] += 1;
    try {
      await this.#act(fault);
    } catch (error) {
      this.#failures.push(`${fault.kind} ${fault.target}: ${String(error)}`);
    }
  }

  async #act({ kind, target, forMs }: Fault): Promise<void> {
    switch (kind) {
      case "kill":
        return this.#kill(target, forMs);
      case "pause":
        return this.#pause(this.#theFleet.pid(target), forMs);
      case "kill-server":
        return this.#killServer(target, forMs);
      case "pause-server":
        return this.#pause(this.#servers[indexOf(target)]?.pid, forMs);
      case "cut-server":
        this.#cable?.cut();
        await sleep(forMs);
        this.#cable?.heal();
        return;
      case "fill":
        return this.#fill(forMs);
    }
  }

  async #kill(name: string, forMs: number): Promise<void> {
    const running = this.#theFleet.worker(name);
    this.#killed.add(running);
    await Promise.all([running.end(), sleep(forMs)]);
    this.#watch(name, this.#theFleet.begin(name));
  }

  async #pause(pid: number | undefined, forMs: number): Promise<void> {
    if (pid === undefined) return;
    signal(pid, "SIGSTOP");
    this.#paused.add(pid);
    await sleep(forMs);
    signal(pid, "SIGCONT");
    this.#paused.delete(pid);
  }

  async #killServer(name: string, forMs: number): Promise<void> {
    const at = indexOf(name);
    const server = this.#servers[at];
    if (server === undefined) return;
    server.kill();
    await Promise.all([server.stop(), sleep(forMs)]);
    this.#servers[at] = await server.again();
  }

  async #fill(forMs: number): Promise<void> {
    const file = join(this.#theFleet.outsideOf(this.#casting.small), ballast);
    fillDisk(file, keepFreeKiB);
    const untilMs = performance.now() + forMs;
    let isRefusing = false;
    while (performance.now() < untilMs) {
      // A store takes room in advance, so it needs more than a few values to miss it.
      if (!isRefusing) this.#load?.press(pressBytes);
      await sleep(200);
      const status = await this.#watcher?.status({ timeoutMs: 500 }).catch(() => undefined);
      isRefusing ||= status?.roles.some(({ state }) => state === "refusing") === true;
    }
    if (isRefusing) this.#counts.refusing += 1;
    emptyDisk(file);
  }

  /** Notes a worker that ends although nobody ended it. */
  #watch(name: string, running: Running): void {
    this.#said.set(name, [...(this.#said.get(name) ?? []), running]);
    void running.ended.then(({ code, signal: how, stderr }) => {
      if (this.#killed.has(running) || this.#isOver) return;
      this.#failures.push(`${name} ended with ${code ?? how}: ${stderr.trimEnd().slice(-300)}`);
    });
  }

  readonly #histories: { readonly path: string; readonly file: HistoryFile }[] = [];
  #isOver = false;

  /** Waits until every role serves again. */
  async #settle(): Promise<void> {
    const wanted = this.#casting.crews.flatMap(({ roles }) => roles);
    let missing: string[] = [];
    await until(async () => {
      const status = await this.#watcher?.status().catch(() => undefined);
      const serving = (status?.roles ?? []).filter(
        ({ pid, state }) => pid !== null && !["silent", "halted", "refusing"].includes(state),
      );
      missing = wanted.filter((role) => !serving.some((row) => `${row.role}:${row.id}` === role));
      for (const key of ["elections", "nacks"] as const) {
        this.#counts[key] = (status?.roles ?? []).reduce((sum, row) => sum + (row[key] ?? 0), 0);
      }
      return missing.length === 0;
    }, slowMs).catch(() => {
      this.#failures.push(`${missing.join(", ")} did not come back within ${slowMs} ms`);
    });
  }

  async #judge(): Promise<ChaosOutcome> {
    const running = this.#load;
    if (running === undefined) throw new Error("no load was started");
    await running.stop().catch((error: unknown) => {
      this.#failures.push(`the healed cluster does not go on: ${String(error)}`);
    });
    this.#isOver = true;
    if (this.#failures.length === 0) await this.#readFromEachLearner(running);
    const { failures, counts } = running.verdict();
    const leftOut = this.#noMounts === undefined ? [] : [`fill: ${this.#noMounts}`];
    return {
      failures: [...this.#failures, ...failures, ...this.#judgeHistories()],
      faults: this.#faults,
      counts: { ...counts, ...this.#counts, silenceMsMax: Math.round(running.silenceMsMax) },
      leftOut,
    };
  }

  /** Is there an order of all calls that explains every answer? */
  #judgeHistories(): string[] {
    return this.#histories.flatMap(({ path, file }) => {
      // Nobody else proposes in this cluster.
      const verdict = checkHistory(readFileSync(path, "utf8"), { isComplete: true });
      if (verdict.kind === "linearizable" && verdict.answered > 0) return [];
      return [`the history of ${file.model} is ${JSON.stringify(verdict).slice(0, 500)}`];
    });
  }

  /** Each learner's log, told while the others are dead. */
  async #readFromEachLearner(running: Load): Promise<void> {
    const fleet = this.#theFleet;
    const { others, first, anew } = this.#casting;
    for (const name of others) await fleet.worker(name).end();
    await running.readLog();
    await fleet.worker(first).end();
    await Promise.all(anew.map((name) => fleet.launch(name)));
    await running.readLog();
  }

  get #casting(): Casting {
    return castings[this.#options.placement];
  }

  get #theFleet(): Fleet {
    if (this.#fleet === undefined) throw new Error("there is no fleet yet");
    return this.#fleet;
  }

  #say(line: string): void {
    this.#options.say(line);
  }
}

function indexOf(server: string): number {
  return Number(server.slice(1)) - 1;
}

/** Signals a process that may be gone. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}

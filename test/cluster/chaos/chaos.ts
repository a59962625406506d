/**
 * Chaos: a fleet on three nats-servers under load, while a schedule of faults runs its course.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, HistoryFile, type Synod } from "../../../src/index.js";
import { checkHistory } from "../../../src/judge/check.js";
import { EXIT } from "../../../src/worker/exit.js";
import { type Processes, type Running, until, whyNoMounts } from "../../cli/processes.js";
import { emptyDisk, fillDisk } from "../../support/ballast.js";
import { type NatsServerProcess, startNatsCluster } from "../../support/nats-server.js";
import { TcpProxy } from "../../support/tcp-proxy.js";
import { slowMs } from "../cluster.js";
import { Fleet, fleetCluster } from "../fleet.js";
import { type Casting, castings } from "./casting.js";
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

const ballast = "ballast";
const pressBytes = 300_000;
/** Milliseconds without a chosen value after which it is told who waits. */
const silenceMs = 4000;
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
  readonly #counts = { elections: 0, nacks: 0, refusing: 0, refusedAtStart: 0 };
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
    const schedule = drawSchedule(seed, durationMs, this.#targets(), groupOf);
    const beginMs = performance.now();
    const healing: Promise<void>[] = [];
    const watching = setInterval(() => void this.#tellSilence(beginMs), silenceMs);
    for (const fault of schedule) {
      await sleep(beginMs + fault.atMs - performance.now());
      const seconds = (fault.atMs / 1000).toFixed(1);
      this.#say(`+${seconds} s ${fault.kind} ${fault.target} for ${fault.forMs} ms`);
      healing.push(this.#suffer(fault));
    }
    await Promise.all(healing);
    clearInterval(watching);
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
    this.#isFull = true;
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
    this.#isFull = false;
  }

  /** When nothing is chosen for long: who waits for whom. */
  async #tellSilence(beginMs: number): Promise<void> {
    if ((this.#load?.silenceMs ?? 0) < silenceMs) return;
    const waits = await this.#watcher?.why({ timeoutMs: silenceMs }).catch(() => undefined);
    const told = (waits ?? []).flatMap(({ role, id, waits: all }) =>
      all.map(({ for: what, from, have, need }) => {
        return `${role} ${id} for ${what} from ${from.join(" ") || "nobody"} (${have} of ${need})`;
      }),
    );
    const seconds = ((performance.now() - beginMs) / 1000).toFixed(1);
    this.#say(`+${seconds} s silence: ${told.slice(0, 8).join("; ") || "nobody says why"}`);
  }

  /** Notes a worker that ends although nobody ended it. */
  #watch(name: string, running: Running): void {
    this.#said.set(name, [...(this.#said.get(name) ?? []), running]);
    void running.ended.then(async ({ code, signal: how, stderr }) => {
      if (this.#killed.has(running) || this.#isOver) return;
      if (code !== EXIT.noRoom || !stderr.includes("the disk is full")) {
        this.#failures.push(`${name} ended with ${code ?? how}: ${stderr.trimEnd().slice(-300)}`);
        return;
      }
      // It was started while its disk was full: a supervisor starts it again.
      this.#counts.refusedAtStart += 1;
      while (this.#isFull) await sleep(100);
      this.#watch(name, this.#theFleet.begin(name));
    });
  }

  readonly #histories: { readonly path: string; readonly file: HistoryFile }[] = [];
  #isFull = false;
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

/** Workers of which mostly one at a time is in trouble: a1, a2 and a3; p1 and p2 … */
function groupOf(worker: string): string {
  return worker.replace(/\d+$/, "");
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

/**
 * A run: a plan, carried out on the world, watched by the monitor, and asked in the end whether
 * the cluster is alive.
 */

import { createSeededRandom } from "../../adapters/memory/random.js";
import { createCodec } from "../../adapters/msgpackr/codec.js";
import type { Cluster } from "../../paxos/cluster.js";
import { assertedUnless } from "../broken/unasserted.js";
import { Faults } from "../faults/faults.js";
import { Network } from "../faults/network.js";
import { countLateAnswers } from "../monitor/late-answers.js";
import type { Violation } from "../monitor/ledger.js";
import { Monitor } from "../monitor/monitor.js";
import { Origins } from "../monitor/origins.js";
import { CALM, type Plan, type TimedRequest } from "../plan/plan.js";
import { clusterOf, placesOf } from "../plan/setup.js";
import { Coverage } from "../world/coverage.js";
import { type Parts, World } from "../world/world.js";
import { Clients } from "./clients.js";
import { Histories } from "./histories.js";
import { endFaults, whatIsMissing } from "./liveness.js";

/** Virtual time after faults in which everything must be answered and learned. */
const LIVENESS_MS = 60_000;
/** After that, time for what was late, so that it can still do harm. */
const AFTERMATH_MS = 300;

/** What a run may be given beside its plan. */
export interface RunOptions {
  /** Broken parts, for the negative controls. */
  readonly parts?: Parts | undefined;
  /** Changes the cluster: quorums that miss each other. */
  readonly cluster?: ((cluster: Cluster) => Cluster) | undefined;
  /** Something is broken on purpose: the rules assert nothing. */
  readonly isBroken?: boolean | undefined;
  /** Sees the run before it begins, to look on. */
  readonly onReady?: ((run: Run) => void) | undefined;
}

/** How a run ended. */
export interface RunResult {
  readonly plan: Plan;
  readonly violation: Violation | null;
  readonly coverage: Coverage;
  readonly histories: Histories;
  /** Milliseconds of the world. */
  readonly virtualMs: number;
}

/** A run and its parts, while it lasts. */
export class Run {
  readonly plan: Plan;
  readonly world: World;
  readonly monitor: Monitor;
  readonly coverage = new Coverage();
  readonly network: Network;
  readonly faults: Faults;
  readonly clients: Clients;
  readonly histories: Histories;

  constructor(plan: Plan, options: RunOptions) {
    this.plan = plan;
    const { setup, seed } = plan;
    const drawn = clusterOf(setup);
    const cluster = options.cluster?.(drawn) ?? drawn;
    const codec = createCodec(cluster);
    const random = createSeededRandom(`run ${seed}`);
    const { coverage } = this;
    const disks = random.fork("disks");
    const origins = new Origins();
    const wrapCodec = options.parts?.wrapCodec ?? ((real) => real);
    this.world = new World({
      ...options.parts,
      wrapCodec: (real, described) => origins.watch(wrapCodec(real, described)),
      openStore: countLateAnswers(origins, coverage, options.parts?.openStore),
      cluster,
      payloadBytesMax: setup.payloadBytesMax,
      seed: `world ${seed}`,
      syncMs: (file) => (0.05 + disks.next()) * plan.syncMs + this.faults.slowness(file),
      observe: (process) => this.monitor.observe(process),
      onHalt: (process, { role, id, why, cause }) => {
        coverage.count(`halted: ${role}`);
        if (cause === "threw") this.monitor.ledger.break("noRoleThrows", `${role} ${id}: ${why}`);
        this.faults.halted(process, role, id);
      },
      onRefused: (process, role, id, { code }) => {
        coverage.count(`store refused: ${code}`);
        this.faults.halted(process, role, id);
      },
    });
    if (setup.payloadBytesMax !== undefined) {
      coverage.count("payload: smaller than the descriptor's");
    }
    const pairs = (id: string) => this.world.files.get(`acceptor ${id}`)?.pairs() ?? [];
    this.monitor = new Monitor(cluster, coverage, origins, pairs);
    this.network = new Network({
      weather: plan.weather,
      latencyMs: plan.latencyMs,
      random: random.fork("network"),
      coverage,
      codec,
      space: { prefix: "synod", cluster: cluster.name },
      nowMs: () => this.world.clock.nowMs(),
    });
    this.network.onFalsified = (payload, arrives) => origins.falsified(payload, arrives);
    this.world.bus.intercept((delivery) => this.network.decide(delivery));
    this.faults = new Faults({
      world: this.world,
      network: this.network,
      coverage,
      codec,
      random: random.fork("faults"),
      places: new Map(placesOf(setup).map(({ name, members }) => [name, members])),
      rates: setup.rates,
      onOlderCopy: (acceptor, what) => this.#olderCopy(acceptor, what),
      endClient: (client) => this.clients.end(client),
    });
    this.histories = new Histories(() => this.world.clock.nowMs(), coverage);
    this.clients = new Clients(this.world, this.monitor, coverage, codec, this.histories);
    this.clients.closesSessions = plan.closesSessions ?? false;
  }

  /** The first violation, if there is one by now. */
  get violation(): Violation | null {
    return this.monitor.ledger.violation;
  }

  /** Carries the plan out. */
  go(): Violation | null {
    const { plan, world } = this;
    const { clock } = world;
    this.faults.startAll();
    for (const { atMs, fault } of plan.faults) {
      clock.setTimer(atMs, () => this.faults.strike(fault));
    }
    for (const { atMs, client, request } of plan.requests) {
      clock.setTimer(atMs, () => this.clients.make(client, request));
    }
    const isBroken = () => this.violation !== null;
    clock.runUntil(isBroken, plan.calmMs);
    clock.runUntil(() => isBroken() || !this.faults.isHeld, LIVENESS_MS);
    this.#judgeQuiet();
    if (isBroken()) return this.violation;
    endFaults(this);
    clock.runUntil(() => isBroken() || this.#isDone(), LIVENESS_MS);
    if (isBroken()) return this.violation;
    const missing = whatIsMissing(this);
    if (missing !== null) {
      this.monitor.ledger.break("liveness", `${plan.ending}: ${missing}`);
      return this.violation;
    }
    clock.runUntil(isBroken, AFTERMATH_MS);
    this.#judgeEnd();
    this.#judgeCopies();
    this.#judgeRest(plan.restMs ?? 0);
    return this.violation;
  }

  /** Nobody asks for anything any more: after a while nothing may be chosen any more. */
  #judgeRest(restMs: number): void {
    if (restMs === 0 || this.violation !== null) return;
    const { ledger } = this.monitor;
    const isBroken = () => this.violation !== null;
    this.world.clock.runUntil(isBroken, restMs / 2);
    const before = ledger.chosenCount;
    this.world.clock.runUntil(isBroken, restMs / 2);
    const more = ledger.chosenCount - before;
    this.coverage.count("runs at rest");
    if (more === 0) return;
    const sentence = `${more} values were chosen in ${restMs / 2} ms in which nobody asked`;
    ledger.break("comesToRest", sentence);
  }

  #isDone(): boolean {
    return this.clients.open === 0 && whatIsMissing(this) === null;
  }

  #judgeEnd(): void {
    const { ledger } = this.monitor;
    const [lie] = this.clients.lies();
    if (lie !== undefined) {
      ledger.break(
        "failedMeansNever",
        `${lie} was refused as certainly not chosen, and stands in the log`,
      );
    }
    // A request without identity may be brought in twice by a repeated message.
    const isOnce = ({ request }: TimedRequest) => request.kind !== "propose" || request.hasId;
    const disorder = this.histories.judge(this.plan.requests.every(isOnce));
    if (disorder !== null) ledger.break(disorder.invariant, disorder.sentence);
    this.coverage.count("values chosen", ledger.chosenCount);
  }

  /** Nothing goes wrong in this run before its ending. */
  get #isQuiet(): boolean {
    const { weather, faults, setup } = this.plan;
    return (
      faults.length === 0 && Object.keys(setup.rates).length === 0 && sameWeather(weather, CALM)
    );
  }

  /** Without faults every request stands in the log once, whatever the latency is. */
  #judgeCopies(): void {
    if (!this.#isQuiet || this.plan.ending !== "healed") return;
    const times = (what: string) => this.coverage.counts.get(what) ?? 0;
    const copies = times("requests in the log") - times("requests that took effect");
    // A request of an evicted session has no effect, and is no copy.
    if (copies === 0 || times("requests of expired sessions") > 0) return;
    const sentence = `${copies} copies of requests are in the log although nothing was lost`;
    this.monitor.ledger.break("noCopies", sentence);
  }

  /** Asked before the ending, which may take the leader away. */
  #judgeQuiet(): void {
    if (!this.#isQuiet) return;
    this.coverage.count("runs without faults");
    const elections = this.coverage.counts.get("elections") ?? 0;
    // A proposer whose phase 1 takes longer than that is given up for another, and may be.
    const { silenceMs } = this.world.cluster.limits;
    if (elections > 1 && this.plan.syncMs < silenceMs) {
      const sentence = `${elections} elections although nothing went wrong`;
      this.monitor.ledger.break("quietLeader", sentence);
    }
  }

  #olderCopy(acceptor: string, what: "tried" | "served" | "gone"): void {
    if (what === "served") {
      const sentence = `${acceptor} serves on an older copy of its store, though a witness lives`;
      this.monitor.ledger.break("olderCopyIsSilent", sentence);
    } else this.monitor.mute(acceptor, what === "tried");
  }
}

/** Runs a plan to its end, or to the first violation. */
export function runPlan(plan: Plan, options: RunOptions = {}): RunResult {
  const { run, violation } = assertedUnless(options.isBroken === true, () => {
    const run = new Run(plan, options);
    options.onReady?.(run);
    return { run, violation: run.go() };
  });
  const { coverage, histories, world } = run;
  return { plan, violation, coverage, histories, virtualMs: world.clock.nowMs() };
}

function sameWeather(a: Plan["weather"], b: Plan["weather"]): boolean {
  const isSame = (of: "loss" | "repeat" | "reorder" | "late" | "flip") =>
    (a[of] ?? 0) === (b[of] ?? 0);
  return (
    isSame("loss") && isSame("repeat") && isSame("reorder") && isSame("late") && isSame("flip")
  );
}

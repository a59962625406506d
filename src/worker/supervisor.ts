/**
 * The supervisor: starts processes, starts them again when they die, and takes them along when it
 * ends.
 *
 * A process that exits with code 4 says that starting it again would not help: its store is under
 * suspicion, or its name is taken; so does one with code 5 (no room on its disk), unless it served
 * before: then there may be room again. One that is killed, throws or ends without being told is
 * started again, the later the more often it died.
 */
import type { ChildProcess } from "node:child_process";
import type { Clock, Logger, Random } from "../kernel/ports.js";
import { EXIT } from "./exit.js";
import { askToStop, readChildWord } from "./parent.js";

/** A process to keep running. */
export interface Launch {
  /** What it is called in messages: `acceptor a1`. */
  readonly name: string;
  /** Starts it; called again for each restart. */
  readonly start: () => ChildProcess;
  /** Resolves once it serves. Left out: it says `ready` over IPC. */
  readonly untilReady?: (child: ChildProcess) => Promise<void>;
  /** Set: others rely on it, so it is ended last. */
  readonly isServer?: boolean;
}

/** What became of a process. `waiting`: it died and will be started again. */
export type ChildState = "starting" | "ready" | "waiting" | "refused" | "stopped";

/** A process under supervision, for people. */
export interface Supervised {
  readonly name: string;
  readonly pid: number | undefined;
  readonly state: ChildState;
  /** How often it was started again. */
  readonly restarts: number;
  /** Why it will not be started again, if it said so. */
  readonly why: string | undefined;
  /** The code with which it ended, if it will not be started again for that. */
  readonly refusedWith: number | undefined;
  /** Roles of it that stopped for good while others go on. */
  readonly halted: readonly HaltedRole[];
}

/** A role that stopped for good. */
export interface HaltedRole {
  readonly role: string;
  readonly id: string;
  readonly why: string;
}

/** What a supervisor is built from. */
export interface SupervisorOptions {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  /** Called when a process has died, and when a role of one has stopped for good. */
  readonly onLoss?: (() => void) | undefined;
  /** Milliseconds before the first restart; doubled with each death that follows soon. */
  readonly restartMinMs?: number | undefined;
  readonly restartMaxMs?: number | undefined;
  /** Milliseconds of life after which earlier deaths are forgotten. */
  readonly steadyMs?: number | undefined;
}

const restartMinDefaultMs = 100;
const restartMaxDefaultMs = 5_000;
const steadyDefaultMs = 10_000;

interface Child {
  readonly launch: Launch;
  process: ChildProcess | undefined;
  state: ChildState;
  restarts: number;
  /** Deaths in a row, each soon after its start. */
  deaths: number;
  startedMs: number;
  why: string | undefined;
  refusedWith: number | undefined;
  halted: HaltedRole[];
  cancelRestart: () => void;
  /** Called once, when it serves or never will. */
  settle: ((error: Error | null) => void) | undefined;
}

/** Keeps processes running. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #children: Child[] = [];
  #isStopping = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    // An exit of ours ends the IPC channels, and with them the children; this is for those who
    // have none or do not look.
    process.once("exit", this.#killAll);
  }

  /** The processes, in the order in which they were added. */
  list(): readonly Supervised[] {
    return this.#children.map((child) => {
      const { launch, process: running, state, restarts, why, refusedWith, halted } = child;
      return { name: launch.name, pid: running?.pid, state, restarts, why, refusedWith, halted };
    });
  }

  /**
   * Starts a process and keeps it running.
   *
   * @returns resolves when it serves, after restarts if need be
   * @throws Error if it says that starting it again would not help
   */
  add(launch: Launch): Promise<void> {
    return new Promise((resolve, reject) => {
      const child: Child = {
        launch,
        process: undefined,
        state: "starting",
        restarts: 0,
        deaths: 0,
        startedMs: 0,
        why: undefined,
        refusedWith: undefined,
        halted: [],
        cancelRestart: () => {},
        settle: (error) => (error === null ? resolve() : reject(error)),
      };
      if (this.#isStopping) {
        reject(new Error(`${launch.name} is not started: this supervisor ends`));
        return;
      }
      this.#children.push(child);
      this.#start(child);
    });
  }

  /** Ends every process: servers last, in good order, and after `waitMs` at once. */
  async stop(waitMs: number): Promise<void> {
    this.#isStopping = true;
    const late = this.#options.clock.setTimer(waitMs, this.#killAll);
    for (const isServer of [false, true]) {
      const group = this.#children.filter(({ launch }) => (launch.isServer ?? false) === isServer);
      await Promise.all(group.map((child) => this.#end(child)));
    }
    late();
    process.off("exit", this.#killAll);
  }

  readonly #killAll = (): void => {
    for (const { process: child } of this.#children) child?.kill("SIGKILL");
  };

  #end(child: Child): Promise<void> {
    child.cancelRestart();
    child.settle?.(new Error(`${child.launch.name} was stopped before it served`));
    child.settle = undefined;
    const running = child.process;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) {
      if (child.state !== "refused") child.state = "stopped";
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      running.once("exit", () => resolve());
      askToStop(running);
    });
  }

  #start(child: Child): void {
    const { clock, logger } = this.#options;
    const { launch } = child;
    child.state = "starting";
    child.startedMs = clock.nowMs();
    child.why = undefined;
    child.halted = [];
    let started: ChildProcess;
    try {
      started = launch.start();
    } catch (error) {
      this.#died(child, `could not be started (${String(error)})`, null);
      return;
    }
    child.process = started;
    let isOver = false;
    const over = (how: string, code: number | null) => {
      if (isOver) return;
      isOver = true;
      this.#died(child, how, code);
    };
    const ready = () => {
      if (isOver || child.process !== started || child.state !== "starting") return;
      child.state = "ready";
      const fields = { name: launch.name, pid: started.pid };
      if (child.restarts > 0) logger.info(fields, `${launch.name} is back (pid ${started.pid})`);
      child.settle?.(null);
      child.settle = undefined;
    };
    started.on("error", (error) => over(`could not be started (${error.message})`, null));
    started.on("exit", (code, signal) => over(howItEnded(code, signal), code));
    started.on("message", (message) => this.#heard(child, message, ready));
    launch.untilReady?.(started).then(ready, () => started.kill("SIGKILL"));
  }

  #heard(child: Child, message: unknown, ready: () => void): void {
    const word = readChildWord(message);
    if (word?.kind === "ready") ready();
    if (word?.kind === "ending") child.why = word.why;
    if (word?.kind === "halted") {
      const { role, id, why } = word;
      child.halted.push({ role, id, why });
      this.#options.logger.error({ role, id }, `${role} ${id} has halted: ${why}`);
      this.#options.onLoss?.();
    }
  }

  #died(child: Child, how: string, code: number | null): void {
    const { logger, clock } = this.#options;
    const { launch, process: ended } = child;
    const who = ended?.pid === undefined ? launch.name : `${launch.name} (pid ${ended.pid})`;
    if (this.#isStopping) {
      child.state = "stopped";
      return;
    }
    const neverServed = child.settle !== undefined;
    if (code === EXIT.refused || (code === EXIT.noRoom && neverServed)) {
      child.state = "refused";
      child.refusedWith = code;
      const why = child.why ?? how;
      logger.error({ name: launch.name }, `${who} is not started again: ${why}`);
      child.settle?.(new Error(`${launch.name}: ${why}`));
      child.settle = undefined;
      this.#options.onLoss?.();
      return;
    }
    const { steadyMs = steadyDefaultMs } = this.#options;
    child.deaths = clock.nowMs() - child.startedMs >= steadyMs ? 1 : child.deaths + 1;
    child.state = "waiting";
    const delayMs = this.#delayMs(child.deaths);
    const because = child.why === undefined ? "" : ` (${child.why})`;
    const fields = { name: launch.name, deaths: child.deaths };
    this.#options.onLoss?.();
    const soon = `starting it again in ${Math.round(delayMs)} ms`;
    logger.warn(fields, `${who} ${how}${because}: ${soon}`);
    child.cancelRestart = clock.setTimer(delayMs, () => {
      child.restarts += 1;
      this.#start(child);
    });
  }

  /** Doubles with each death; drawn from the upper half, so that not all come back at once. */
  #delayMs(deaths: number): number {
    const { random, restartMinMs = restartMinDefaultMs } = this.#options;
    const { restartMaxMs = restartMaxDefaultMs } = this.#options;
    const fullMs = Math.min(restartMaxMs, restartMinMs * 2 ** Math.min(deaths - 1, 20));
    return fullMs * (0.5 + random.next() / 2);
  }
}

function howItEnded(code: number | null, signal: NodeJS.Signals | null): string {
  return signal === null ? `ended with code ${code}` : `was killed by ${signal}`;
}

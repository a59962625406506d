/**
 * A cluster under `up` in a folder, seen from outside: its lines, its pids, who leads, who waits.
 */
import { connect, type RoleWaits, type Status } from "synod";
import { runHere } from "../cli/here.js";
import {
  environment,
  isAlive,
  type Processes,
  type Running,
  recordOf,
  until,
} from "../cli/processes.js";
import { findNatsServer } from "../support/nats-server.js";

/** Starting up to ten processes, or electing a leader, on a busy machine of two cores. */
export const slowMs = 60_000;
/** For a whole test: only a wait that failed takes so long, and it says what it waited for. */
export const testMs = 2 * slowMs;

/** Lines written and not printed yet: more than a leader has under way at once. */
const linesAheadMax = 1000;
/** Milliseconds between ten lines and the next ten. */
const feedMs = 5;
const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const found = await findNatsServer();
/** The environment of an `up` that is to find a nats-server. */
export const withNatsServer = environment("path" in found ? found.path : undefined);
/** Why there is none, for the name of a test that is skipped. */
export const natsServerMissing = "missing" in found ? found.missing : undefined;

/** Asks the roles of a cluster that answer. Not by the command line: a process costs more. */
export async function statusOf(nats: string, cluster: string): Promise<Status> {
  await using synod = await connect({ cluster, nats });
  return await synod.status();
}

/** Returns the process that runs a role, if it answers. */
export function pidOf({ roles }: Status, role: string, id: string): number | undefined {
  return roles.find((row) => row.role === role && row.id === id)?.pid;
}

/** An `up` that runs. */
export class Town {
  readonly #processes: Processes;
  readonly cwd: string;
  readonly up: Running;
  /** Lines written to it, each with its line break. */
  readonly sent: string[] = [];
  #printed = 0;

  private constructor(processes: Processes, cwd: string, up: Running) {
    this.#processes = processes;
    this.cwd = cwd;
    this.up = up;
    up.child.stdout?.on("data", (text: string) => {
      for (const char of text) if (char === "\n") this.#printed += 1;
    });
  }

  /** Starts `up` and waits for its banner. */
  static async bringUp(
    processes: Processes,
    cwd: string,
    args: readonly string[],
    env = environment(),
  ): Promise<Town> {
    const town = new Town(processes, cwd, processes.start(["up", ...args], { cwd, env }));
    await town.up.says(/stores and logs in/, slowMs);
    return town;
  }

  /** Lines that it has printed so far. */
  get printed(): number {
    return this.#printed;
  }

  /** Writes lines. */
  async send(count: number): Promise<void> {
    await this.feedWhile((written) => written < count);
  }

  /**
   * Writes lines, ten at a time with a breath between, so that what happens falls among them; never
   * many more than are printed, so that a wait does not pile up work.
   */
  async feedWhile(goesOn: (written: number) => boolean): Promise<void> {
    for (let i = 0; goesOn(i); i += 1) {
      while (this.sent.length - this.#printed >= linesAheadMax && goesOn(i)) await pass(feedMs);
      const line = `line ${this.sent.length + 1} ${"äöü-".repeat(this.sent.length % 7)}\n`;
      this.sent.push(line);
      this.up.child.stdin?.write(line);
      if (i % 10 === 9) await pass(feedMs);
    }
  }

  /** Waits until so many lines are printed. */
  async prints(count: number): Promise<void> {
    await until(() => this.#printed >= count, slowMs).catch(async (error: Error) => {
      const { stdout } = await this.run("why");
      const seen = `${this.#printed} of ${count} lines printed; up said\n${this.up.stderr}`;
      throw new Error(`${error.message}: ${seen}\nwhy:\n${stdout}`);
    });
  }

  /** Runs a command in its folder, in this process. */
  run(...args: readonly string[]) {
    return runHere(args, { cwd: this.cwd });
  }

  /** Starts a command in its folder. */
  start(...args: readonly string[]): Running {
    return this.#processes.start(args, { cwd: this.cwd });
  }

  status(): Promise<Status> {
    const { server, cluster } = recordOf(this.cwd);
    return statusOf(server, cluster);
  }

  async why(): Promise<readonly RoleWaits[]> {
    const { server, cluster } = recordOf(this.cwd);
    await using synod = await connect({ cluster, nats: server });
    return await synod.why();
  }

  /** Returns the process that runs a role, once it answers. */
  async pidOf(role: string, id: string): Promise<number> {
    let pid: number | undefined;
    await until(async () => {
      pid = pidOf(await this.status(), role, id);
      return pid !== undefined;
    }, slowMs);
    return pid ?? 0;
  }

  /** Returns the process of the leader, once there is one. */
  async leaderPid(): Promise<number> {
    let pid: number | undefined;
    await until(async () => {
      const status = await this.status();
      pid = status.leader === null ? undefined : pidOf(status, "proposer", status.leader.id);
      return pid !== undefined;
    }, slowMs);
    return pid ?? 0;
  }

  /** Returns every process of it: `up` last. */
  async pids(): Promise<number[]> {
    const { processes: named, pid } = recordOf(this.cwd);
    const { roles } = await this.status();
    const all = [...Object.values(named), ...roles.flatMap((row) => row.pid)];
    return [...new Set(all), pid].filter(isAlive);
  }
}

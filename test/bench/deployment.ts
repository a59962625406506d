/** A cluster of one build on a nats-server of its own, with its client; what its processes use. */
import { fork, spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { environment, Processes, type Running } from "../cli/processes.js";
import { colocated, separated } from "../cluster/fleet.js";
import { type NatsServerProcess, startNatsServer } from "../support/nats-server.js";
import type { Load, Told } from "./client.js";
import { usageOf } from "./usage.js";

/** A build to measure. */
export interface Build {
  readonly name: string;
  /** A folder with `dist` and `node_modules`. */
  readonly folder: string;
}

/** Placements as `up` makes them: the fleet of the tests has one gateway more. */
export const placements = {
  colocated,
  separated: separated.filter(({ name }) => name !== "g2"),
} as const;

/** What one load showed. */
export interface Point {
  /** Receipts a second. */
  readonly throughput: number;
  readonly p50Ms: number;
  /** Processor time of all processes of the cluster for one receipt, in microseconds. */
  readonly cpuUs: number;
}

const startMsMax = 60_000;
const loader = fileURLToPath(new URL("../support/typescript.mjs", import.meta.url));
const client = fileURLToPath(new URL("./client.ts", import.meta.url));

/** A running cluster. */
export class Deployment {
  readonly build: Build;
  readonly #processes: Processes;
  readonly #server: NatsServerProcess;
  readonly #workers: readonly Running[];
  readonly #client: Running;

  private constructor(
    build: Build,
    processes: Processes,
    server: NatsServerProcess,
    workers: readonly Running[],
    client: Running,
  ) {
    this.build = build;
    this.#processes = processes;
    this.#server = server;
    this.#workers = workers;
    this.#client = client;
  }

  /** Formats the stores, starts every process, and waits for the first receipt. */
  static async start(build: Build, placement: keyof typeof placements): Promise<Deployment> {
    const processes = new Processes();
    const server = await startNatsServer();
    const cwd = await processes.folder();
    const crews = placements[placement];
    const env = { ...environment(), NATS_URL: server.url };
    const main = join(build.folder, "dist/src/cli/main.js");
    const start = (...args: string[]) => {
      return processes.adopt(spawn(process.execPath, [main, ...args], { cwd, env }));
    };
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await start(...args).ended;
      if (code !== 0) throw new Error(`${build.name}: synod ${args.join(" ")}: ${stderr}`);
      return stdout;
    };
    const roles = crews.flatMap((crew) => crew.roles);
    const proposers = roles.filter((role) => role.startsWith("proposer:")).length;
    const drawn = await run("format", "--new", "demo", "--proposers", String(proposers));
    await writeFile(join(cwd, "cluster.yaml"), drawn);
    await mkdir(join(cwd, "data"));
    const stores = roles.filter((role) => /^(acceptor|proposer):/.test(role));
    await run("format", ...stores, "--data", "data");
    const workers = crews.map((crew) => start("worker", ...crew.roles, "--data", "data"));
    await Promise.all(workers.map((worker) => worker.says('"msg":"serving"', startMsMax)));
    const library = join(build.folder, "dist/src/index.js");
    const child = fork(client, [library, server.url], {
      execArgv: ["--import", loader],
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    const deployment = new Deployment(build, processes, server, workers, processes.adopt(child));
    await deployment.#hear("ready");
    return deployment;
  }

  /** Measures one load. */
  async measure(load: Load): Promise<Point> {
    this.#client.child.send(load);
    await this.#hear("begins");
    const beforeMs = this.#cpuMs();
    const { receipts, ms, p50Ms } = await this.#hear("ended");
    const cpuUs = ((this.#cpuMs() - beforeMs) * 1000) / receipts;
    return { throughput: (receipts * 1000) / ms, p50Ms, cpuUs };
  }

  /** Measures processor time without load, in percent of one core. */
  async idle(ms: number): Promise<number> {
    const [startMs, beforeMs] = [performance.now(), this.#cpuMs()];
    await new Promise((resolve) => setTimeout(resolve, ms));
    return (100 * (this.#cpuMs() - beforeMs)) / (performance.now() - startMs);
  }

  /** The resident memory of the largest worker, in MB. */
  residentMb(): number {
    const bytes = this.#workers.map(({ child }) => usageOf(child.pid ?? 0).residentBytes);
    return Math.max(...bytes) / 1e6;
  }

  async end(): Promise<void> {
    await this.#processes.clear();
    await this.#server.stop();
  }

  #cpuMs(): number {
    const pids = [this.#server.pid, ...this.#workers.map(({ child }) => child.pid ?? 0)];
    return pids.reduce((sum, pid) => sum + usageOf(pid).cpuMs, 0);
  }

  /** Waits for a word of the client. @throws Error if it ends before */
  #hear<K extends Told["kind"]>(kind: K): Promise<Extract<Told, { kind: K }>> {
    const { child, ended } = this.#client;
    return new Promise((resolve, reject) => {
      const listen = (told: Told) => {
        if (told.kind !== kind) return;
        child.off("message", listen);
        resolve(told as Extract<Told, { kind: K }>);
      };
      child.on("message", listen);
      void ended.then(({ stderr }) => {
        reject(new Error(`the client of ${this.build.name} ended: ${stderr}`));
      });
    });
  }
}

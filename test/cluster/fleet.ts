/**
 * A cluster process by process, without a supervisor: each worker with its own server, command line
 * and disk, started, stopped and killed by the test alone.
 */
import { spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Status } from "synod";
import { mounting, type Processes, type Running } from "../cli/processes.js";
import { slowMs, statusOf } from "./cluster.js";

/** A worker: its roles, each as `role:id`, and what is special about it. */
export interface Crew {
  readonly name: string;
  readonly roles: readonly string[];
  /** Its own server, if it is not the fleet's. */
  readonly nats?: string;
  /** A command line that runs it: strace. Given anew for each start. */
  readonly under?: readonly string[];
  /** The size of a disk of its own, in KiB (tmpfs); the common one if left out. */
  readonly diskKiB?: number;
}

/** Roles as `up` places them, and a second gateway. */
export const separated: readonly Crew[] = [
  { name: "a1", roles: ["acceptor:a1"] },
  { name: "a2", roles: ["acceptor:a2"] },
  { name: "a3", roles: ["acceptor:a3"] },
  { name: "p1", roles: ["proposer:p1", "elector:e1"] },
  { name: "p2", roles: ["proposer:p2", "elector:e2"] },
  { name: "l1", roles: ["learner:l1"] },
  { name: "l2", roles: ["learner:l2"] },
  { name: "g1", roles: ["gateway:g1", "learner:l3", "synod-proposer:s1"] },
  { name: "g2", roles: ["gateway:g2", "synod-proposer:s2"] },
];

/** Three equal workers with every role, as `up --placement colocated` makes them. */
export const colocated: readonly Crew[] = [1, 2, 3].map((i) => ({
  name: `node${i}`,
  roles: [
    ...[`acceptor:a${i}`, `proposer:p${i}`, `elector:e${i}`],
    ...[`learner:l${i}`, `gateway:g${i}`, `synod-proposer:s${i}`],
  ],
}));

/** The name of the fleet's cluster. */
export const fleetCluster = "demo";

/** A cluster under way. */
export class Fleet {
  readonly cwd: string;
  readonly #processes: Processes;
  readonly #nats: string;
  readonly #crews = new Map<string, Crew>();
  readonly #running = new Map<string, Running>();
  readonly #holders = new Map<string, number>();

  private constructor(processes: Processes, cwd: string, nats: string) {
    this.#processes = processes;
    this.cwd = cwd;
    this.#nats = nats;
  }

  /**
   * Formats the stores and starts every worker.
   *
   * @param nats the servers of those without own
   * @param place where its folder is made
   */
  static async start(
    processes: Processes,
    nats: string,
    crews: readonly Crew[] = separated,
    place?: string,
  ): Promise<Fleet> {
    const cwd = await processes.folder(place);
    const fleet = new Fleet(processes, cwd, nats);
    const proposers = crews.flatMap(({ roles }) => roles).filter((role) => /^proposer:/.test(role));
    const size = ["--proposers", String(Math.max(2, proposers.length))];
    const drawn = await processes.run(["format", "--new", fleetCluster, ...size], { cwd });
    if (drawn.code !== 0) throw new Error(`no descriptor was drawn: ${drawn.stderr}`);
    await writeFile(join(cwd, "cluster.yaml"), drawn.stdout);
    for (const crew of crews) await fleet.#prepare(crew);
    await fleet.#format(crews);
    await Promise.all(crews.map(({ name }) => fleet.launch(name)));
    return fleet;
  }

  /** Names of the workers. */
  get names(): readonly string[] {
    return [...this.#crews.keys()];
  }

  /** The worker as it was started last. */
  worker(name: string): Running {
    const running = this.#running.get(name);
    if (running === undefined) throw new Error(`there is no worker ${name}`);
    return running;
  }

  /** The process of a worker; undefined if it does not run. */
  pid(name: string): number | undefined {
    const { child } = this.worker(name);
    return child.exitCode === null && child.signalCode === null ? child.pid : undefined;
  }

  /** Starts a worker (again) and waits until it serves. */
  async launch(name: string, under = this.#crew(name).under): Promise<Running> {
    const running = this.begin(name, under);
    await running.says('"msg":"serving"', slowMs);
    return running;
  }

  /** Starts a worker (again) and does not wait. */
  begin(name: string, under = this.#crew(name).under): Running {
    const crew = this.#crew(name);
    const args = ["worker", ...crew.roles, "--nats", crew.nats ?? this.#nats];
    args.push("--data", this.dataOf(name));
    if (crew.nats !== undefined) args.push("--no-discovery");
    const all = [...this.#enter(name), ...(under ?? [])];
    const running = this.#processes.start(args, { cwd: this.cwd, under: all });
    this.#running.set(name, running);
    return running;
  }

  /** The folder of a worker's stores, as the worker sees it. */
  dataOf(name: string): string {
    return join(this.cwd, this.#crew(name).diskKiB === undefined ? "data" : `disk-${name}`);
  }

  /** The same folder as seen from here. */
  outsideOf(name: string): string {
    const holder = this.#holders.get(name);
    return holder === undefined
      ? this.dataOf(name)
      : join(`/proc/${holder}/root`, this.dataOf(name));
  }

  /** Asks for `status`; workers that do not answer are left out. */
  status(nats = this.#nats): Promise<Status> {
    return statusOf(nats, fleetCluster);
  }

  #crew(name: string): Crew {
    const crew = this.#crews.get(name);
    if (crew === undefined) throw new Error(`there is no worker ${name}`);
    return crew;
  }

  async #prepare(crew: Crew): Promise<void> {
    this.#crews.set(crew.name, crew);
    const folder = this.dataOf(crew.name);
    await mkdir(folder, { recursive: true });
    if (crew.diskKiB !== undefined) await this.#mount(crew.name, folder, crew.diskKiB);
  }

  /** Makes the stores: one command a disk. */
  async #format(crews: readonly Crew[]): Promise<void> {
    const disks = new Map<string, { roles: string[]; under: string[] }>();
    for (const { name, roles } of crews) {
      const folder = this.dataOf(name);
      const disk = disks.get(folder) ?? { roles: [], under: this.#enter(name) };
      disk.roles.push(...roles.filter((role) => /^(?:acceptor|proposer):/.test(role)));
      disks.set(folder, disk);
    }
    for (const [folder, { roles, under }] of disks) {
      if (roles.length === 0) continue;
      const args = ["format", ...roles, "--data", folder];
      const { code, stderr } = await this.#processes.run(args, { cwd: this.cwd, under });
      if (code !== 0) throw new Error(`no stores in ${folder}: ${stderr}`);
    }
  }

  /** Mounts a disk in a namespace that a process holds, so that it outlives its worker. */
  async #mount(name: string, folder: string, sizeKiB: number): Promise<void> {
    const script = 'mount -t tmpfs -o size="$1"k none "$2"; echo mounted; exec sleep 1000000';
    const [command, ...args] = [...mounting, `set -e; ${script}`, "sh", String(sizeKiB), folder];
    const holder = this.#processes.adopt(spawn(command, args));
    await holder.says("mounted");
    this.#holders.set(name, holder.child.pid ?? 0);
  }

  #enter(name: string): string[] {
    const holder = this.#holders.get(name);
    if (holder === undefined) return [];
    const where = ["-U", "-m", "-t", String(holder), `--wd=${this.cwd}`];
    return ["nsenter", "--preserve-credentials", ...where, "--"];
  }
}

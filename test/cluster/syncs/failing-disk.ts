/**
 * A fleet under load of which one acceptor has a disk that fails when it is told to.
 */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { EXIT } from "../../../src/worker/exit.js";
import { type Ended, type Processes, until } from "../../cli/processes.js";
import { type Load, type LoadVerdict, startLoad } from "../chaos/load.js";
import { slowMs } from "../cluster.js";
import { type Crew, Fleet, fleetCluster, separated } from "../fleet.js";

/** The n-th call of a kind on the store fails, without being done; counted since the start. */
export interface InjectedFault {
  readonly call: "fdatasync" | "fsync" | "pwrite64" | "writev";
  readonly error: "EIO" | "ENOSPC";
  readonly when: number;
  /**
   * Kills the acceptor before, so that the one whose disk fails finds a journal. Default: it ends
   * in good order, and leaves none.
   */
  readonly afterKill?: boolean | undefined;
}

/**
 * What a fault did. `refused`: there was no room, and then there was: it went on by itself. `none`:
 * LMDB did not write that often; it does so only now and then, and decides how.
 */
export type Effect = "halted" | "died" | "refused" | "none";

/**
 * What failed. Of the journal: the sync of a record, a record, zeros that make the file, the mark
 * that it is taken over. Of LMDB: its sync, the page that makes a commit count, another page, room
 * that is taken in advance.
 */
export type Hit =
  | "record sync"
  | "record"
  | "journal made"
  | "journal taken"
  | "sync"
  | "head"
  | "page"
  | "room";

const victim = "a3";
/** Milliseconds in which a role that must halt has done so. */
const haltMsMax = 15_000;
/** Receipts that are asked for while it is away. */
const probes = 3;
/** No more than it takes: each fault starts a process twice. */
const crews: readonly Crew[] = separated.filter(({ name }) => !["p2", "l2", "g2"].includes(name));

/** The cluster. */
export class FailingDisk {
  readonly #fleet: Fleet;
  readonly #strace: string;
  readonly #load: Load;
  readonly effects: Record<Effect, number> = { halted: 0, died: 0, refused: 0, none: 0 };
  readonly hits: Record<Hit, number> = {
    "record sync": 0,
    record: 0,
    "journal made": 0,
    "journal taken": 0,
    sync: 0,
    head: 0,
    page: 0,
    room: 0,
  };
  #probes = 0;

  private constructor(fleet: Fleet, strace: string, load: Load) {
    this.#fleet = fleet;
    this.#strace = strace;
    this.#load = load;
  }

  static async start(processes: Processes, nats: string, strace: string): Promise<FailingDisk> {
    const fleet = await Fleet.start(processes, nats, crews);
    const cluster = fleetCluster;
    const some = { clients: 2, pipeline: 2, valueBytes: [600], pauseMs: 25 };
    const load = await startLoad({ cluster, nats, ...some });
    return new FailingDisk(fleet, strace, load);
  }

  /**
   * Starts the acceptor on a disk that will fail, and holds what happens against what must.
   *
   * @throws Error if it goes on after a failed sync, or is heard after it has halted
   */
  async fail(fault: InjectedFault): Promise<Effect> {
    const { call, error, when, afterKill = false } = fault;
    await this.#stopVictim(afterKill ? "SIGKILL" : "SIGTERM");
    rmSync(this.#log, { force: true });
    const folder = join(this.#fleet.dataOf(victim), "acceptor-a3");
    const files = ["store.mdb", "store.journal"].flatMap((name) => ["-P", join(folder, name)]);
    // -D: strace is a grandchild, so that the process we started is the worker.
    const inject = `inject=${call}:error=${error}:when=${when}`;
    const traced = ["-D", "-f", "-qq", "-y", "-o", this.#log, ...files];
    const under = [this.#strace, ...traced, "-e", `trace=${call}`, "-e", inject];
    const worker = this.#fleet.begin(victim, under);
    const hasEnded = () => worker.child.exitCode !== null || worker.child.signalCode !== null;
    const what = `${call} ${when}${afterKill ? " after a kill" : ""} with ${error}`;
    const comesMs = call === "writev" ? haltMsMax : slowMs;
    const hasCome = await until(() => hasEnded() || this.#hit() !== undefined, comesMs).then(
      () => true,
      () => false,
    );
    if (!hasCome && call !== "writev") throw new Error(`${what} never came about`);
    if (!hasCome) {
      this.effects.none += 1;
      return "none";
    }
    // strace writes on its own time.
    await until(() => this.#hit() !== undefined, haltMsMax);
    const hit = this.#hit() ?? "sync";
    const goesOn = (hit === "room" || hit === "record") && error === "ENOSPC";
    if (!goesOn) {
      await until(hasEnded, haltMsMax).catch(() => {
        throw new Error(`the acceptor went on after ${what} (${hit})`);
      });
    }
    this.hits[hit] += 1;
    const effect = goesOn ? "refused" : effectOf(await worker.ended, what);
    this.effects[effect] += 1;
    if (effect !== "refused") {
      await this.#isSilent(what);
      // As a person would, who has looked at the disk.
      await this.#fleet.launch(victim);
    }
    await until(async () => (await this.#propose()).includes(victim), slowMs);
    return effect;
  }

  /** Starts the acceptor as a person would after a fault that did what it may not. */
  async restart(): Promise<void> {
    await this.#stopVictim("SIGKILL");
    await this.#fleet.launch(victim);
  }

  /**
   * Ends the load, and has the log read once more by learners that begin anew and have to rely on
   * the acceptor whose disk failed, since another one is gone.
   */
  async end(): Promise<LoadVerdict> {
    await this.#load.stop();
    const learners = ["l1", "g1"];
    for (const name of ["a1", ...learners]) await this.#fleet.worker(name).end();
    await Promise.all(learners.map((name) => this.#fleet.launch(name)));
    await this.#load.readLog();
    await this.#load.close();
    return this.#load.verdict();
  }

  /** @returns the acceptors that had synced a value */
  async #propose(): Promise<readonly string[]> {
    this.#probes += 1;
    const { syncedBy } = await this.#load.probe(this.#probes);
    return syncedBy;
  }

  /** Nothing is heard under its name. */
  async #isSilent(what: string): Promise<void> {
    for (let i = 0; i < probes; i += 1) {
      const by = await this.#propose();
      if (by.includes(victim)) throw new Error(`the acceptor answered after ${what}`);
    }
    const { roles } = await this.#fleet.status();
    const row = roles.find(({ role, id }) => role === "acceptor" && id === victim);
    if (row !== undefined) throw new Error(`${what}: it answers as ${row.pid}`);
  }

  /** Which call was made to fail, as strace tells. */
  #hit(): Hit | undefined {
    const log = readFileSync(this.#log, { encoding: "utf8", flag: "a+" });
    const line = log.split("\n").find((one) => one.includes("(INJECTED)"));
    if (line === undefined) return undefined;
    const isJournal = line.includes("store.journal>");
    if (line.includes(" fsync(")) return "journal made";
    if (line.includes("fdatasync")) return isJournal ? "record sync" : "sync";
    if (isJournal && /, 1, \d+\) /.test(line)) return "journal taken";
    if (isJournal) return /"synod journal/.test(line) ? "journal made" : "record";
    if (/, 128, (?:40|4136)\) /.test(line)) return "head";
    return /\\0"\.\.\., \d{6,}, \d+\) /.test(line) ? "room" : "page";
  }

  get #log(): string {
    return join(this.#fleet.cwd, "injected");
  }

  async #stopVictim(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const { child, ended } = this.#fleet.worker(victim);
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await ended;
  }
}

/** What an acceptor says that halts, or that is refused while its store is opened. */
const sentence = /could not be (?:synced|written)|cannot be used for a store/;

/** Reads how the worker ended. @throws Error if it is no way to end */
function effectOf({ code, signal, stderr }: Ended, what: string): Effect {
  if (code === EXIT.refused && sentence.test(stderr)) return "halted";
  // A write that found no room while the store was opened: nothing was served, and another start
  // may find room.
  if (code === EXIT.noRoom && what.endsWith("ENOSPC")) return "halted";
  // A page write that fails damages LMDB's heap (src/adapters/lmdb/README.md).
  if (signal === "SIGABRT" || signal === "SIGSEGV") return "died";
  throw new Error(`after ${what} it ended with ${code ?? signal}: ${stderr.slice(-400)}`);
}

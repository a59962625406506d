/** How processes die: in silence, with a write in flight, in mid-sentence, as the leader. */
import type { Fate } from "../../adapters/memory/disk.js";
import type { SeededRandom } from "../../adapters/memory/random.js";
import type { CrashFate, Fault } from "../plan/plan.js";
import type { Coverage } from "../world/coverage.js";
import type { Member } from "../world/process.js";
import { leaderOf, type World } from "../world/world.js";
import type { Network } from "./network.js";

/** How often, and after how long each time, a crash looks for a write in flight. */
const WRITE_TRIES = 200;
const WRITE_LOOK_MS = 0.5;
/** What crashes act on. */
interface Stage {
  readonly world: World;
  readonly network: Network;
  readonly coverage: Coverage;
  readonly random: SeededRandom;
  /** Says whether quorums are left without these acceptors. */
  readonly canMiss: (acceptors: readonly string[]) => boolean;
  /** The disks of these acceptors cannot be trusted any more. */
  readonly ruin: (acceptors: readonly string[]) => void;
  readonly later: (delayMs: number, run: () => void) => void;
  /** Starts a process, unless it lives. */
  readonly revive: (name: string) => void;
}

/** Ends processes and starts them again. */
export class Crashes {
  readonly #stage: Stage;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** Waits for a write in flight, if that is wanted, but not for long. */
  atWrite(fault: Extract<Fault, { kind: "crash" }>, tries = fault.atWrite ? WRITE_TRIES : 0): void {
    const { process, fate, downMs } = fault;
    if (tries === 0 || this.#writesOf(process) > 0) this.now(process, fate, downMs);
    else this.#stage.later(WRITE_LOOK_MS, () => this.atWrite(fault, tries - 1));
  }

  #writesOf(name: string): number {
    let writes = 0;
    for (const file of this.#stage.world.processes.get(name)?.files.values() ?? []) {
      writes += file.unsynced;
    }
    return writes;
  }

  /** Ends a process, and starts it again after a while. */
  now(name: string, wanted: CrashFate, downMs: number): void {
    const node = this.#stage.world.processes.get(name);
    if (node === undefined) return;
    const acceptors = acceptorsIn(node.members);
    const isTorn = wanted === "torn" && acceptors.length > 0 && this.#stage.canMiss(acceptors);
    const fate = wanted === "torn" && !isTorn ? "lost" : wanted;
    const writes = this.#writesOf(name);
    this.#stage.coverage.count(writes === 0 ? "crash: idle" : `crash: write ${fate}`);
    if (isTorn && writes > 0) this.#stage.ruin(acceptors);
    const torn: Fate = { kept: () => this.#stage.random.next() < 0.5 };
    this.#stage.network.died(name);
    this.#stage.world.kill(name, () => (fate === "torn" ? torn : fate));
    this.#stage.later(downMs, () => this.#stage.revive(name));
  }

  /** Ends a process when it has sent so many more messages. */
  speaking(fault: Extract<Fault, { kind: "crashSpeaking" }>): void {
    const node = this.#stage.world.processes.get(fault.process);
    if (node === undefined) return;
    node.transport.dieAfter(fault.messages, () => {
      node.gate.isDead = true;
      this.#stage.coverage.count("crash: in mid-sentence");
      this.#stage.world.clock.soon(() => {
        if (this.#stage.world.processes.get(fault.process) !== node) return;
        this.#stage.network.died(fault.process);
        this.#stage.world.kill(fault.process);
        this.#stage.later(fault.downMs, () => this.#stage.revive(fault.process));
      });
    });
  }

  /** Ends the leader, after half of what it said was lost. @returns lets it be heard again */
  behead({ forMs, downMs }: Extract<Fault, { kind: "behead" }>): () => void {
    const leader = leaderOf(this.#stage.world);
    if (leader === undefined) return () => undefined;
    this.#stage.coverage.count("crash: leader");
    const heard = this.#stage.network.muffle(leader);
    this.#stage.later(forMs, () => {
      heard();
      this.now(leader, "lost", downMs);
    });
    return heard;
  }
}

function acceptorsIn(members: readonly Member[]): string[] {
  return members.flatMap(([role, id]) => (role === "acceptor" ? [id] : []));
}

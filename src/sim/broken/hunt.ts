/** The hunt for a broken thing: run by run, seed by seed, until an invariant breaks. */
import { roles as realRoles } from "../../../actors/index.js";
import type { Effect } from "../../kernel/effect.js";
import { Outbox } from "../../kernel/outbox.js";
import { digest } from "../../paxos/digest.js";
import type { Violation } from "../monitor/ledger.js";
import { drawPlan } from "../plan/draw.js";
import type { Plan } from "../plan/plan.js";
import { type RunOptions, runPlan } from "../run/run.js";
import type { Parts } from "../world/world.js";
import type { Broken } from "./broken.js";

/** What a hunt found. */
export interface Caught extends Violation {
  /** The seed of the run in which it was found; the plan is {@link planOf} it. */
  readonly seed: number;
  /** How many seeds were run. */
  readonly seeds: number;
}

/** Makes the plan of a seed, narrowed to where a broken thing can show. */
export function planOf({ hunt }: Broken, seed: number): Plan {
  return hunt.plan(drawPlan(seed));
}

/** What to give a run so that it has the broken thing in it. */
export function brokenOptions(broken: Broken): RunOptions {
  const { cluster, hunt } = broken;
  return { parts: partsOf(broken), cluster, isBroken: true, onReady: hunt.onReady };
}

/**
 * Runs seed after seed, from the control's first one on, until an invariant breaks.
 *
 * @param seedsMax the control's own number if left out
 * @param onSeed told of each seed before it is run, for whoever shows progress
 * @returns null if nothing was found in so many seeds
 */
export function huntBroken(
  broken: Broken,
  seedsMax: number = broken.hunt.seedsMax,
  onSeed: (seed: number) => void = () => undefined,
): Caught | null {
  const options = brokenOptions(broken);
  const { firstSeed = 1 } = broken.hunt;
  for (let seeds = 1; seeds <= seedsMax; seeds++) {
    const seed = firstSeed + seeds - 1;
    onSeed(seed);
    const { violation } = runPlan(planOf(broken, seed), options);
    if (violation !== null) return { seed, seeds, ...violation };
  }
  return null;
}

/** Turns a control into what a world is built from. */
function partsOf({ roles, overtakes, nonce, ports }: Broken): Parts {
  return {
    ...ports,
    roles: roles?.(realRoles),
    createOutbox:
      overtakes === undefined
        ? ports?.createOutbox
        : (release) => new HastyOutbox(release, overtakes),
    // Never the same in two processes: they would take each other's words for their own.
    nonce:
      nonce === undefined
        ? undefined
        : (process) => digits(`${process} ${nonce("proposer", process, 1)}`),
  };
}

/** 16 hexadecimal digits that stand for a text. */
function digits(text: string): string {
  return digest(new TextEncoder().encode(text)).slice(0, 16);
}

/** An outbox that lets some effects out whatever is being written. */
class HastyOutbox extends Outbox {
  readonly #release: (effect: Effect) => void;
  readonly #overtakes: NonNullable<Broken["overtakes"]>;
  #writes = false;

  constructor(release: (effect: Effect) => void, overtakes: NonNullable<Broken["overtakes"]>) {
    super(release);
    this.#release = release;
    this.#overtakes = overtakes;
  }

  override beginWrite(): number {
    this.#writes = true;
    return super.beginWrite();
  }

  override add(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (this.#overtakes(effect, this.#writes)) this.#release(effect);
      else super.add([effect]);
    }
    this.#writes = false;
  }
}

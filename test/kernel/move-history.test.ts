/**
 * Goal: whatever becomes of the files, a store opens in one at most, with every vote it gave.
 * Method: random histories of copies, moves and deaths over a few memory files are held against one
 * list of votes.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemoryFile } from "../../src/adapters/memory/disk.js";
import { leave, moveStore, prepareTarget, takeIn } from "../../src/kernel/store/move.js";
import { StoreRefused } from "../../src/kernel/store/refusal.js";
import { Killed, opens, options, placeOf, tried } from "./moves.js";
import { commitNow, formatted, identity, open, slotsIn, voteOf } from "./stores.js";

/** A step of a history over a few files; `left`: commits before its process is killed. */
type Step =
  | { readonly kind: "vote" | "wipe" | "prepare"; readonly at: number; readonly left: number }
  | {
      readonly kind: "copy" | "move" | "leave" | "takeIn";
      readonly at: number;
      readonly to: number;
      readonly left: number;
    };

const FILES = 4;
/** One more than there are files: the one that opens, or the first. */
const file = fc.oneof(fc.nat(FILES - 1), fc.constant(FILES));
const left = fc.oneof(fc.nat(6), fc.constant(Number.POSITIVE_INFINITY));
const kindsOf = <K extends string>(...kinds: K[]) => fc.constantFrom(...kinds);
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: kindsOf("vote", "prepare"), at: file, left }) },
  {
    weight: 7,
    arbitrary: fc.record({
      kind: kindsOf("copy", "move", "move", "move", "leave", "takeIn", "takeIn"),
      at: file,
      to: file,
      left,
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("wipe" as const), at: file, left }) },
);

/** Files and what their one store has voted. */
class Cupboard {
  readonly files = Array.from({ length: FILES }, (_, at) => new MemoryFile(`inode ${at}`));
  /** The move that each file was last prepared for. */
  readonly names: string[] = [];
  voted: number[] = [];
  arrivals = 0;
  #inodes = FILES;
  #slots = 0;

  constructor() {
    this.files[0] = formatted("inode 0");
  }

  at(index: number): MemoryFile {
    return this.files[index] as MemoryFile;
  }

  #resolve(step: Step): Step {
    const home = Math.max(this.files.findIndex(opens), 0);
    const which = (at: number) => (at < FILES ? at : home);
    return "to" in step
      ? { ...step, at: which(step.at), to: which(step.to) }
      : { ...step, at: which(step.at) };
  }

  async run(asked: Step): Promise<void> {
    const step = this.#resolve(asked);
    const life = { left: step.left };
    const here = placeOf(this.at(step.at), life);
    switch (step.kind) {
      case "vote":
        return this.#vote(this.at(step.at));
      case "wipe":
        // A person removes what does not open; a store that is destroyed shows nothing more.
        if (opens(this.at(step.at))) return;
        this.files[step.at] = new MemoryFile(`inode ${this.#inodes++}`);
        return;
      case "prepare":
        this.names[step.at] = await prepareTarget(here, options);
        return;
      case "copy":
        if (opens(this.at(step.to))) return;
        this.files[step.to] = this.at(step.at).copy(`inode ${this.#inodes++}`);
        return;
      case "leave":
        if (this.names[step.to] === undefined) return;
        return leave(here, identity, { name: this.names[step.to] as string, to: "" });
      case "move":
        await moveStore(here, placeOf(this.at(step.to), life), options);
        this.arrivals++;
        return;
      case "takeIn":
        await takeIn(here, placeOf(this.at(step.to), life), identity);
        this.arrivals++;
    }
  }

  #vote(at: MemoryFile): void {
    if (!opens(at)) return;
    const store = open(at);
    expect(slotsIn(store)).toEqual(this.voted);
    const slot = this.#slots++;
    const below = slot % 3 === 0 ? slot - 2 : 0;
    expect(commitNow(store, [voteOf(slot)], below)).toBeNull();
    this.voted = [...this.voted.filter((voted) => voted >= below), slot];
  }

  check(): void {
    const homes = this.files.filter(opens);
    expect(homes.length).toBeLessThanOrEqual(1);
    for (const home of homes) {
      const result = tried(home);
      if (!(result instanceof StoreRefused)) expect(slotsIn(result)).toEqual(this.voted);
    }
  }
}

describe("any history of copies, moves and deaths", () => {
  it("leaves at most one file that opens, with every vote of the store", async () => {
    let arrivals = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(steps, { minLength: 10, maxLength: 40, size: "max" }),
        async (history) => {
          const cupboard = new Cupboard();
          for (const step of history) {
            await cupboard.run(step).catch((error: unknown) => {
              if (!(error instanceof StoreRefused || error instanceof Killed)) throw error;
            });
            cupboard.check();
          }
          arrivals += cupboard.arrivals;
        },
      ),
      { numRuns: 120, seed: 4711 },
    );
    // Otherwise the histories would show nothing.
    expect(arrivals).toBeGreaterThan(50);
  }, 120_000);
});

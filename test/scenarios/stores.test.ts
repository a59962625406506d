/**
 * Goal: a store answers under its name only if it is the one that spoke under it before.
 * Method: copy, wipe and swap the memory files of acceptors between kills.
 */
import { describe, expect, it } from "vitest";
import { MemoryFile } from "../../src/adapters/memory/disk.js";
import type { Member } from "../../src/sim/world/process.js";
import { SEPARATED, World } from "../support/world.js";

function running(seed: number): World {
  const world = new World(seed);
  world.startAll();
  world.wait(1000);
  propose(world, 10);
  return world;
}

function propose(world: World, count: number): void {
  for (let at = 0; at < count; at++) {
    world.propose(`${world.clock.nowMs()} ${at}`);
    world.wait(20);
  }
}

function file(world: World): MemoryFile {
  return world.files.get("acceptor a1") as MemoryFile;
}

const A1 = SEPARATED["a1"] as readonly Member[];

describe("an acceptor's store", () => {
  it("that is an older copy is found out by those who heard the later one", () => {
    const world = running(31);
    const original = file(world);
    // The same inode: as when a backup is restored in place, which no file system can tell.
    const older = original.copy(original.name, { soon: (f) => world.clock.setTimer(1, f) });
    propose(world, 10);
    world.kill("a1");
    world.files.set("acceptor a1", older);
    world.start("a1", A1);
    world.wait(1000);
    expect(world.state("acceptor", "a1")).toBe("halted");
    expect(world.halts[0]).toContain("older copy");
    // Nor after another start, though its incarnation has grown since.
    world.kill("a1");
    world.start("a1", A1);
    world.wait(1000);
    expect(world.state("acceptor", "a1")).toBe("halted");
    const before = world.log("l1").length;
    propose(world, 5);
    world.wait(500);
    expect(world.log("l1").length).toBe(before + 5);
  });

  it("is taken back when it is the one that spoke last, killed at any moment", () => {
    const world = running(32);
    for (let round = 0; round < 10; round++) {
      propose(world, 3);
      world.propose("under way");
      world.kill("a1");
      world.start("a1", A1);
      world.wait(500);
      expect(world.state("acceptor", "a1")).toBe("serving");
    }
    expect(world.halts).toEqual([]);
  });

  it("that is a copy in another file is refused before it says anything", () => {
    const world = running(33);
    world.kill("a1");
    world.files.set("acceptor a1", file(world).copy("another inode"));
    expect(() => world.start("a1", A1)).toThrow(/holds a copy/);
  });

  it("that was wiped is refused, and not made anew", () => {
    const world = running(34);
    world.kill("a1");
    world.files.set("acceptor a1", new MemoryFile(file(world).name));
    expect(() => world.start("a1", A1)).toThrow(/format/);
  });

  it("whose twin starts elsewhere keeps its name, and the twin halts", () => {
    const world = running(35);
    const twin = file(world).copy(file(world).name, { soon: (f) => world.clock.setTimer(1, f) });
    world.files.set("acceptor a1", twin);
    world.start("twin", A1);
    world.wait(1000);
    expect(world.halts).toEqual([expect.stringContaining("another process answers")]);
    expect(world.state("acceptor", "a1")).toBe("serving");
  });

  it("that is full refuses, says why, and serves again by itself when there is room", () => {
    const world = running(36);
    const disk = file(world);
    disk.bytesMax = disk.bytes;
    propose(world, 10);
    expect(world.state("acceptor", "a1")).toBe("refusing");
    expect(world.halts).toEqual([]);
    disk.bytesMax = Number.POSITIVE_INFINITY;
    world.wait(2000);
    expect(world.state("acceptor", "a1")).toBe("serving");
    propose(world, 5);
    world.wait(500);
    expect(world.log("l1").length).toBe(25);
  });

  it("whose sync fails halts for good, and says so", () => {
    const world = running(37);
    file(world).trouble("failed");
    propose(world, 5);
    expect(world.state("acceptor", "a1")).toBe("halted");
    world.wait(500);
    expect(world.log("l1").length).toBe(15);
  });
});

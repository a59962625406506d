/**
 * Goal: a store moves between real directories; killed at any write or sync, it opens in one of the
 * two at most, and the move, run again, ends with all its votes in the new one.
 * Method: real directories; a process that strace kills at its n-th call, for every n.
 */
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formatDirectory, openDirectory } from "../../src/adapters/lmdb/format.js";
import {
  leaveDirectory,
  moveDirectory,
  prepareDirectory,
  takeInDirectory,
} from "../../src/adapters/lmdb/move.js";
import { StoreRefused } from "../../src/kernel/store/refusal.js";
import { commitNow, identity, promiseOf, slotsIn, voteOf } from "../kernel/stores.js";
import { findStrace } from "../support/strace.js";
import { buildChildren, run, writeChild } from "./lmdb-child.js";

const strace = await findStrace();
const without = "missing" in strace ? ` (${strace.missing})` : "";
const tracer = "path" in strace ? strace.path : "strace";

let root: string;
let count = 0;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "synod-move-"));
  buildChildren(root);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const fresh = () => join(root, `d${++count}`, "acceptor-a1");
const options = { identity, draw: () => (++count).toString(16).padStart(32, "0") };

async function written(): Promise<string> {
  const directory = fresh();
  await formatDirectory(directory, identity);
  const { store, close } = await openDirectory(directory, identity);
  expect(commitNow(store, [promiseOf(3), voteOf(1), voteOf(2)])).toBeNull();
  await close();
  return directory;
}

/** Opens a store; says its slots, or the code and message of its refusal. */
async function found(directory: string): Promise<number[] | string> {
  try {
    const { store, close } = await openDirectory(directory, identity);
    const slots = slotsIn(store);
    await close();
    return slots;
  } catch (error) {
    if (!(error instanceof StoreRefused)) throw error;
    return `${error.code}: ${error.message}`;
  }
}

describe("a store in a directory", () => {
  it("moves to another one, and a copy of it names the way", async () => {
    const [from, to] = [await written(), fresh()];
    const copy = fresh();
    cpSync(from, copy, { recursive: true, preserveTimestamps: true });
    expect(await found(copy)).toMatch(/^copied: .*`synod move acceptor:a1 --to FOLDER`/);
    await moveDirectory(from, to, options);
    expect(await found(from)).toContain(`was moved from ${from} to ${to}, and never opens`);
    expect(await found(to)).toEqual([1, 2]);
    await moveDirectory(from, to, options);
    expect(await found(to)).toEqual([1, 2]);
    // And back, once what it left behind is removed.
    await expect(moveDirectory(to, from, options)).rejects.toThrow(/Remove that folder/);
    expect(await found(to)).toEqual([1, 2]);
    rmSync(from, { recursive: true });
    await moveDirectory(to, from, options);
    expect([await found(from), await found(to)]).toEqual([
      [1, 2],
      expect.stringMatching(/^moved: /),
    ]);
  });

  it("is carried to a place that awaits it, by a copy", async () => {
    const [from, to, carried] = [await written(), fresh(), fresh()];
    await expect(takeInDirectory(from, to, identity)).rejects.toThrow(/awaits no store/);
    expect(existsSync(to)).toBe(false);
    const name = await prepareDirectory(to, options);
    expect(await found(to)).toMatch(/^awaiting: /);
    await leaveDirectory(from, identity, name);
    cpSync(from, carried, { recursive: true });
    rmSync(from, { recursive: true });
    expect(await found(carried)).toMatch(/^moved: /);
    await takeInDirectory(carried, to, identity);
    expect(await found(to)).toEqual([1, 2]);
    expect(await found(carried)).toMatch(/^moved: /);
  });

  it("that is in use, or missing, or already there, stays as it is", async () => {
    const [from, to] = [await written(), fresh()];
    const { close } = await openDirectory(from, identity);
    await expect(moveDirectory(from, to, options)).rejects.toMatchObject({ code: "in_use" });
    await close();
    const missing = moveDirectory(fresh(), to, options);
    await expect(missing).rejects.toMatchObject({ code: "not_formatted" });
    expect(existsSync(to)).toBe(false);
    await expect(moveDirectory(from, from, options)).rejects.toThrow(/name another folder/);
    expect(await found(from)).toEqual([1, 2]);
  });
});

describe.skipIf("missing" in strace)(`a move that is killed${without}`, () => {
  it.each(["fdatasync", "fsync", "pwrite64", "mkdir"])(
    "at any %s leaves one that opens at most, and ends when it is run again",
    async (call) => {
      const ways = new Set<string>();
      let kills = 0;
      for (let when = 1; ; when++) {
        const [from, to] = [await written(), fresh()];
        const program = `await moveDirectory(${JSON.stringify(from)}, ${JSON.stringify(to)}, {
          identity, draw: () => "${when.toString(16).padStart(32, "0")}" });
          say("moved");`;
        const path = writeChild(root, `${call}-${when}`, program);
        const inject = `inject=${call}:signal=SIGKILL:when=${when}`;
        const args = ["-f", "-o", "/dev/null", "-e", `trace=${call}`, "-e", inject];
        const { out } = run(tracer, ...args, process.execPath, path);
        const ended = out === "moved\n";
        const states = [await found(from), await found(to)];
        const words = states.map((state) =>
          typeof state === "string" ? state.replace(/:.*/s, "") : "opens",
        );
        ways.add(words.join(" "));
        expect(words).not.toEqual(["opens", "opens"]);
        await moveDirectory(from, to, options);
        expect(await found(from)).toMatch(/^moved: /);
        expect(await found(to)).toEqual([1, 2]);
        if (ended) break;
        kills++;
      }
      // The move syncs its four commits; each way of being between two places is met.
      if (call === "fdatasync") {
        expect(kills).toBeGreaterThanOrEqual(4);
        expect(ways).toContain("opens awaiting");
        expect(ways).toContain("moved awaiting");
      }
      expect(ways).toContain("moved opens");
    },
    60_000,
  );
});

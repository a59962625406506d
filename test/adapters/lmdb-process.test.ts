/**
 * Goal: a process is known by its pid and its start, so that a pid that was given out again is not
 * taken for the process that had it. Method: real processes, by each way of asking.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { isRunning, startOf } from "../../src/adapters/lmdb/process.js";
import { lacking } from "./lmdb-child.js";

const ways = process.platform === "linux" ? (["proc", "ps"] as const) : (["ps"] as const);
const noPs = lacking("ps", "-o", "lstart=", "-p", String(process.pid));

describe.each(ways)("the start of a process, by %s", (by) => {
  it("is the same each time, another for another process, unknown for none", async (context) => {
    if (by === "ps" && noPs !== undefined) return context.skip(noPs);
    const own = startOf(process.pid, by);
    expect(own).toMatch(/\d/);
    expect(startOf(process.pid, by)).toBe(own);
    // ps tells seconds: the next process must be of a later one.
    await new Promise((resolve) => setTimeout(resolve, by === "ps" ? 1100 : 20));
    const other = spawn(process.execPath, ["-e", "setInterval(() => undefined, 1000)"]);
    await once(other, "spawn");
    const pid = other.pid as number;
    const start = startOf(pid, by) as string;
    expect(start).not.toBe(own);
    expect(isRunning({ pid, start }, by)).toBe(true);
    expect(isRunning({ pid, start: own }, by)).toBe(false);
    expect(isRunning({ pid, start: undefined }, by)).toBe(true);
    other.kill("SIGKILL");
    await once(other, "exit");
    expect(startOf(pid, by)).toBeUndefined();
    expect(isRunning({ pid, start }, by)).toBe(false);
  });
});

it("no process has an id that is no number of one", () => {
  for (const pid of [0, -1, 1.5, Number.NaN]) {
    expect(isRunning({ pid, start: undefined })).toBe(false);
  }
});

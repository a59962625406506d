/**
 * Goal: what dies is started again, the later the more often; what says "do not" is not.
 * Method: real processes of a few lines, a supervisor with a short backoff, its words collected.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { afterEach, describe, expect, it } from "vitest";
import { createClock, createRandom } from "../../src/adapters/node/clock.js";
import { Supervisor } from "../../src/worker/supervisor.js";

const said: string[] = [];
let supervisor: Supervisor | undefined;

afterEach(async () => {
  await supervisor?.stop(500);
  said.length = 0;
});

function create(): Supervisor {
  const say = (_: unknown, message: string) => void said.push(message);
  const logger = { debug: say, info: say, warn: say, error: say };
  const times = { restartMinMs: 10, restartMaxMs: 40, steadyMs: 60_000 };
  const made = new Supervisor({ logger, clock: createClock(), random: createRandom(), ...times });
  supervisor = made;
  return made;
}

/** Starts a few lines of JavaScript with an IPC channel. */
function script(lines: string): () => ChildProcess {
  return () =>
    spawn(process.execPath, ["-e", lines], { stdio: ["ignore", "ignore", "ignore", "ipc"] });
}

const ready = `process.send({ kind: "ready" });`;
const obedient = `${ready} process.on("message", () => process.exit(0));`;

async function until(is: () => boolean): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!is()) {
    if (performance.now() > endMs) throw new Error(`it never came true; said: ${said.join("\n")}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe("a supervisor", () => {
  it("starts a killed process again and says so", async () => {
    const made = create();
    await made.add({ name: "acceptor a1", start: script(obedient) });
    const [{ pid: first } = { pid: 0 }] = made.list();
    process.kill(first ?? 0, "SIGKILL");
    await until(() => made.list()[0]?.restarts === 1 && made.list()[0]?.state === "ready");
    const second = made.list()[0]?.pid;
    expect(second).not.toBe(first);
    expect(said[0]).toMatch(
      new RegExp(`^acceptor a1 \\(pid ${first}\\) was killed by SIGKILL: starting it again in`),
    );
    expect(said[1]).toBe(`acceptor a1 is back (pid ${second})`);
  });

  it("waits longer with each death, up to a bound", async () => {
    const made = create();
    void made.add({ name: "x", start: script("process.exit(1)") }).catch(() => {});
    await until(() => (made.list()[0]?.restarts ?? 0) >= 5);
    const delays = said.map((line) => Number(/in (\d+) ms/.exec(line)?.[1]));
    expect(delays[0]).toBeLessThanOrEqual(10);
    expect(delays[4]).toBeGreaterThanOrEqual(20);
    expect(Math.max(...delays)).toBeLessThanOrEqual(40);
    expect(said[0]).toMatch(/^x \(pid \d+\) ended with code 1: /);
  });

  it("tries again what served once and then lacks room on its disk", async () => {
    const made = create();
    const word = `{ kind: "ending", why: "the disk is full" }`;
    const full = `process.send(${word}, () => process.exit(5));`;
    await expect(made.add({ name: "a1", start: script(full) })).rejects.toThrow("the disk is full");
    let starts = 0;
    const start = () => {
      starts += 1;
      return script(starts === 2 || starts === 3 ? full : obedient)();
    };
    await made.add({ name: "a2", start });
    process.kill(made.list()[1]?.pid ?? 0, "SIGKILL");
    await until(() => made.list()[1]?.restarts === 3 && made.list()[1]?.state === "ready");
    expect(made.list()[0]).toMatchObject({ state: "refused", restarts: 0 });
  });

  it("does not start again what ends with code 4, and tells why", async () => {
    const made = create();
    const word = `{ kind: "ending", why: "its store is corrupt" }`;
    const ending = `process.send(${word}, () => process.exit(4));`;
    const added = made.add({ name: "acceptor a1", start: script(ending) });
    await expect(added).rejects.toThrow("acceptor a1: its store is corrupt");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(made.list()[0]).toMatchObject({ state: "refused", restarts: 0 });
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(/is not started again: its store is corrupt$/);
  });

  it("passes on that a role has halted while others go on", async () => {
    const made = create();
    const word = `{ kind: "halted", role: "acceptor", id: "a1", why: "w" }`;
    const halted = `${obedient} process.send(${word});`;
    await made.add({ name: "node 1", start: script(halted) });
    await until(() => said.includes("acceptor a1 has halted: w"));
  });

  it("ends what does not listen, and starts nothing after that", async () => {
    const made = create();
    const deaf = `${ready} process.on("SIGTERM", () => {}); setInterval(() => {}, 1000);`;
    await made.add({ name: "deaf", start: script(deaf) });
    await made.add({ name: "obedient", start: script(obedient) });
    await made.stop(100);
    expect(made.list().map(({ state }) => state)).toEqual(["stopped", "stopped"]);
    await expect(made.add({ name: "late", start: script(ready) })).rejects.toThrow("ends");
    expect(said).toEqual([]);
  });

  it("says so when a program is not there", async () => {
    const made = create();
    const missing = ["./no", "such", "program"].join("-");
    void made.add({ name: "x", start: () => spawn(missing) }).catch(() => {});
    await until(() => said.length > 0);
    expect(said[0]).toMatch(/^x could not be started \(spawn \.\/no-such-program ENOENT\)/);
  });
});

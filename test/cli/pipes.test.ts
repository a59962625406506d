/**
 * Goal: a pipe that does not finish never ends with 0 and never in silence: a script
 * learns which line failed, and how far it came.
 * Method: dist under a real shell, with readers that leave, full devices, files that may not grow,
 * signals, and few open files; one cluster for all.
 */
import { existsSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { slowMs, Town, testMs } from "../cluster/cluster.js";
import { runHere } from "./here.js";
import { Processes, type RunOptions, until } from "./processes.js";

vi.setConfig({ testTimeout: testMs });
const keeper = new Processes();
const processes = new Processes();
let town: Town;
let stopped: number | undefined;

beforeAll(async () => {
  const args = ["--embedded", "--placement", "single"];
  town = await Town.bringUp(keeper, await keeper.folder(), args);
  await town.run("propose", "first");
}, testMs);
afterEach(async () => {
  if (stopped !== undefined) process.kill(stopped, "SIGCONT");
  stopped = undefined;
  await processes.clear();
});
afterAll(() => keeper.clear());

/** Runs a command within a line of shell, where it is `"$@"`. */
function shell(line: string, args: readonly string[], options: RunOptions = {}) {
  return processes.run(args, { cwd: town.cwd, under: ["bash", "-c", line, "bash"], ...options });
}

/** Starts a command in the folder of the cluster. */
function start(...args: readonly string[]) {
  return processes.start(args, { cwd: town.cwd });
}

/** Runs a command in this process, where its own process is not the point. */
const run = (args: readonly string[], input = "") => runHere(args, { cwd: town.cwd, input });

/** The values of the log, one a line. */
const log = async () => (await run(["chosen"])).stdout;

/** The exit code of the command itself, of those in its pipe. */
const code = (at: number) => `echo "code \${PIPESTATUS[${at}]}" >&2`;

describe("a reader that leaves", () => {
  it.each(["propose --timeout 60000", "propose --timeout 60000 --json"])(
    "ends %s with 1, which says how far it came, and has one listener on the stream",
    async (command) => {
      const line = `seq 5000 | "$@" | head -1; ${code(1)}`;
      const { stdout, stderr } = await shell(line, command.split(" "));
      expect(stdout).toMatch(/position.*\n$/);
      expect(stderr).toContain("nobody reads standard output any more: ");
      expect(stderr).toMatch(/[\d,]+ lines chosen; [\d,]+ lines were read, and none behind/);
      expect(stderr).toMatch(/code 1\n$/);
      expect(stderr).not.toContain("Warning");
    },
  );

  it("has had enough of a command that only reads", async () => {
    const lines = Array.from({ length: 3000 }, (_, i) => `${i} ${"x".repeat(90)}\n`).join("");
    expect((await run(["propose", "--timeout", "60000"], lines)).code).toBe(0);
    for (const args of [["chosen"], ["chosen", "--follow", "--json"], ["status", "--watch"]]) {
      const { stdout, stderr } = await shell(`"$@" | head -1; ${code(0)}`, args);
      expect(stdout.split("\n")).toHaveLength(2);
      expect(stderr).toBe("code 0\n");
    }
  });

  it("does not cut a verdict short", async () => {
    const args = ["sim", "--broken", "highest-vote-ignored"];
    const { stderr } = await shell(`"$@" | head -1; ${code(0)}`, args);
    expect(stderr).toMatch(/code 1\n$/);
  });
});

describe("what cannot be written", () => {
  const commands = [
    ...["propose one", "chosen", "status", "chart acceptor", "sim --broken list", "--version"],
  ];
  // Only Linux has a device that is always full.
  it.skipIf(!existsSync("/dev/full")).each(commands)(
    "fails with a sentence: %s > /dev/full",
    async (command) => {
      const ended = await shell(`"$@" > /dev/full`, command.split(" "));
      expect(ended.code).toBe(1);
      expect(ended.stderr).toMatch(/cannot write to standard output: ENOSPC: no space left on/);
      expect(ended.stderr).not.toMatch(/^ +at /m);
    },
  );

  it("is not lost where a file takes only a part of it", async () => {
    await run(["decide", "long", "x".repeat(3000)]);
    const short = await shell(`ulimit -f 1; exec "$@" > "${town.cwd}/part"`, ["decide", "long"]);
    expect(short.stderr).toContain("cannot write to standard output: EFBIG");
    expect(short.code).toBe(1);
  });

  it.skipIf(!existsSync("/dev/full"))("on standard error ends nothing", async () => {
    const ended = await shell(`"$@" 2> /dev/full`, ["chosen", "--after", "soon"]);
    expect(ended).toMatchObject({ code: 2, stdout: "" });
  });
});

describe("a line that fails", () => {
  const tooLong = 600_000;

  it("is named, and never proposed as another one", async () => {
    await run(["propose", "before"]);
    const before = await log();
    const input = `a\n${"x".repeat(tooLong)}\nb\n${"y".repeat(3 * tooLong)}\n`;
    const ended = await processes.run(["propose"], { cwd: town.cwd, input });
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain(
      `synod: line 2: it has ${tooLong} bytes, 524288 at most: it was not proposed\n`,
    );
    expect(ended.stderr).toMatch(/synod: 1 line chosen; 1 not; |synod: 2 lines chosen; [12] not; /);
    const added = (await log()).slice(before.length);
    expect(["a\n", "a\nb\n"]).toContain(added);
    const json = await run(["propose", "--json"], "x".repeat(tooLong));
    expect(json).toMatchObject({ code: 1, stderr: "" });
    expect(JSON.parse(json.stdout)).toEqual({
      error: {
        code: "too_large",
        message: `line 1: it has ${tooLong} bytes, 524288 at most: it was not proposed`,
        mayHaveHappened: false,
      },
    });
  });

  it("has company: lines in a row that fail alike are told as one, each with --json", async () => {
    const all = JSON.parse((await run(["status", "--json"])).stdout).roles[0].pid as number;
    const fail = async (...more: readonly string[]) => {
      const pipe = start("propose", "--timeout", "600", ...more);
      pipe.child.stdin?.write("reached\n");
      await pipe.says("position");
      stopped = all;
      process.kill(all, "SIGSTOP");
      pipe.child.stdin?.end("two\nthree\nfour\n");
      const ended = await pipe.ended;
      process.kill(all, "SIGCONT");
      return ended;
    };
    const ended = await fail();
    expect(ended.code).toBe(3);
    expect(ended.stderr).toMatch(/^synod: lines 2 to 4: the value was sent, and nothing was/);
    expect(ended.stderr).toMatch(/\nsynod: 1 line chosen; 3 not; 4 lines were read, and none/);
    const json = await fail("--json");
    expect(json).toMatchObject({ code: 3, stderr: "" });
    const [receipt, ...errors] = json.stdout.trim().split("\n");
    expect(JSON.parse(receipt ?? "")).toMatchObject({ value: "reached" });
    expect(errors.map((line) => JSON.parse(line).error.message.slice(0, 7))).toEqual([
      ...["line 2:", "line 3:", "line 4:"],
    ]);
    await until(async () => (await run(["propose", "again"])).code === 0, slowMs);
  });

  it("of an input that is none is refused", async () => {
    for (const args of [["propose"], ["up", "--exit"]]) {
      const ended = await shell(`exec "$@" < /`, args, { cwd: await processes.folder() });
      expect(ended).toMatchObject({ code: 2, stdout: "" });
      expect(ended.stderr).toContain("standard input is a directory");
    }
  });

  it("has an id only if it is alone", async () => {
    const before = await log();
    const wrong: [string[], string?][] = [
      [["propose", "--id", "order", "a", "b"]],
      [["propose", "--id", "order"], "a\nb\n"],
      [["propose", "--id", "order"], ""],
      [["propose", "--id", "", "a"]],
    ];
    for (const [args, input] of wrong) {
      const ended = await run(args, input);
      expect(ended).toMatchObject({ code: 2, stdout: "" });
      expect(ended.stderr).toContain("--id");
    }
    expect(await log()).toBe(before);
    const [one, again] = [
      await run(["propose", "--id", "order"], "a\n"),
      await run(["propose", "--id", "order", "a"]),
    ];
    expect(one.code).toBe(0);
    expect(again.stdout.split(",")[0]).toBe(one.stdout.split(",")[0]);
  });
});

describe("a signal", () => {
  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "ends propose with 130, which says how far it came (%s)",
    async (signal) => {
      const pipe = start("propose");
      pipe.child.stdin?.write("a\nb\n");
      await until(() => pipe.stdout.split("\n").length === 3, slowMs);
      const ended = await pipe.end(signal);
      expect(ended).toMatchObject({
        code: 130,
        stderr: "synod: interrupted: 2 lines chosen; 2 lines were read, and none behind\n",
      });
    },
  );

  it("says behind which position the feed goes on", async () => {
    const feed = start("chosen", "--follow", "--json");
    await feed.says('"position":1,');
    const ended = await feed.end("SIGINT");
    const last = JSON.parse(ended.stdout.trim().split("\n").at(-2) ?? "") as { position: number };
    expect(JSON.parse(ended.stdout.trim().split("\n").at(-1) ?? "")).toEqual({
      error: {
        code: "interrupted",
        message: `interrupted: go on with --after ${last.position}`,
        mayHaveHappened: false,
      },
    });
    expect(ended.code).toBe(130);
  });
});

describe("few open files", () => {
  it.each([["status"], ["up", "--exit"]])("are told with what to do: %s", async (...args) => {
    const cwd = await processes.folder();
    const ended = await shell(`ulimit -n 32; exec "$@"`, args, { cwd });
    expect(ended).toMatchObject({ code: 1, stdout: "" });
    expect(ended.stderr).toMatch(/^synod: this process may not open so many files: .*ulimit -n /);
    expect(ended.stderr.trim().split("\n")).toHaveLength(1);
    const json = await shell(`ulimit -n 32; exec "$@"`, [...args, "--json"], { cwd });
    expect(json).toMatchObject({ code: 1, stderr: "" });
    expect(JSON.parse(json.stdout).error.code).toBe("EMFILE");
  });
});

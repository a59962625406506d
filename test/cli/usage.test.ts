/**
 * Goal: the command line explains itself, and ends with the code that says how it went.
 * Method: commands without a cluster, in this process; the same in processes of dist, for one of
 * each way to end.
 */
import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { runHere } from "./here.js";
import { Processes } from "./processes.js";

const processes = new Processes();
afterEach(() => processes.clear());

const nobody = ["--nats", "nats://127.0.0.1:9"];
const run = async (...args: readonly string[]) => runHere(args, { cwd: await processes.folder() });

describe("the command line", () => {
  it.each([
    ["0", "--version"],
    ["0", "decide --help"],
    ["0", "explore --broken list --json"],
    ["1", "worker acceptor:a1 --data d"],
    ["1", "sim --broken highest-vote-ignored --json"],
    ["2", "stauts"],
    ["2", "chosen --after -1 --json"],
    ["3", `status ${nobody.join(" ")}`],
    ["3", `decide k v ${nobody.join(" ")} --json`],
  ])("ends with %s as a process, having said what it says here: %s", async (code, line) => {
    const cwd = await processes.folder();
    const ended = await processes.run(line.split(" "), { cwd });
    expect(String(ended.code)).toBe(code);
    expect(await runHere(line.split(" "), { cwd })).toEqual(ended);
  });

  it("says its version", async () => {
    const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
    const { version } = JSON.parse(text) as { version: string };
    expect(await run("--version")).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: "" });
  });

  it("has help with examples for each command, and lists no others", async () => {
    const { code, stdout } = await run("--help");
    expect(await run("-h")).toMatchObject({ code, stdout });
    expect(code).toBe(0);
    const listed = [...stdout.matchAll(/^ {2}([a-z]+) (?:\[|<|[A-Z ])/gm)].map(([, name]) => name);
    const commands = ["up", "propose", "chosen", "decide", "status", "why", "prove", "chart"];
    commands.push("sim", "explore", "format", "move", "worker");
    expect(listed).toEqual([...commands, "help"]);
    const pages = await Promise.all(commands.map((name) => run(name, "--help")));
    for (const page of pages) {
      expect(page.code).toBe(0);
      expect(page.stdout).toMatch(/\nExamples:\n {2}synod /);
    }
    // Each that reaches a server can be kept to the servers that were named.
    const reaching = pages.filter(({ stdout }) => stdout.includes("--nats <url>"));
    expect(reaching).toHaveLength(8);
    for (const { stdout } of reaching) {
      expect(stdout).toContain("--no-discovery");
      expect(stdout).toContain("--inbox-prefix");
    }
  });

  it("ends with code 2 when it is used wrongly", async () => {
    const wrong = [
      ["chart", "aceptor"],
      ["status", "--cluster", "No Name"],
      ["status", "--nats", "http://127.0.0.1"],
      ["decide", "k", "--timeout", "soon"],
      ["explore", "--broken", "nothing"],
      ["explore", "--states-max", "0"],
      ["format"],
      ["move", "acceptor:a1", "--data", "data"],
      ["up", "--acceptors", "many"],
      ["up", "--acceptors", "3", "extra"],
    ];
    const ended = await Promise.all(wrong.map((args) => run(...args)));
    expect(ended.map(({ code }, i) => [...(wrong[i] ?? []), code])).toEqual(
      wrong.map((args) => [...args, 2]),
    );
    for (const { stdout, stderr } of ended) {
      expect(stdout).toBe("");
      expect(stderr).not.toBe("");
      expect(stderr).not.toMatch(/^ +at /m);
    }
  });

  it("says with --json what is wrong as an object, and nothing else", async () => {
    const wrong = [
      // Found by the parser of the line, of an option, of an argument, and by the command.
      ...[["stauts"], ["status", "--bogus"], ["decide"], ["chosen", "--after", "-1"]],
      ...[
        ["chart", "--format", "json"],
        ["propose", "--id", "x", "a", "b"],
        ["explore", "--world", "x"],
        ["worker"],
        ["prove", "0"],
      ],
    ];
    const ended = await Promise.all(wrong.map((args) => run(...args, "--json")));
    for (const [i, { code, stdout, stderr }] of ended.entries()) {
      expect([...(wrong[i] ?? []), code, stderr]).toEqual([...(wrong[i] ?? []), 2, ""]);
      expect(JSON.parse(stdout)).toEqual({
        error: { code: "usage", message: expect.any(String), mayHaveHappened: false },
      });
    }
    const value = await run("decide", "k", "--bogus", "--", "--json");
    expect(value).toMatchObject({ code: 2, stdout: "" });
  });

  it("prints one object a line with --json, and nothing else", async () => {
    const commands = [
      ["chart"],
      ["chart", "acceptor"],
      ["format", "--new", "demo"],
      ["format", "--draw"],
      ["sim", "--seed", "3", "--steps"],
      ["sim", "--seeds", "2"],
      ["sim", "--broken", "list"],
      ["sim", "--broken", "highest-vote-ignored"],
      ["explore"],
      ["explore", "--world", "list"],
    ];
    for (const args of commands) {
      const { stdout, stderr } = await run(...args, "--json");
      expect([...args, stderr]).toEqual([...args, ""]);
      const lines = stdout.trimEnd().split("\n");
      for (const line of lines) expect(JSON.parse(line)).toEqual(expect.any(Object));
      expect(lines.length).toBeGreaterThan(0);
    }
  });

  it("before there is a cluster is the error object, and nothing else", async () => {
    const broker = processes.start(["broker"]);
    await broker.says("broker on nats://");
    const empty = ["--nats", /nats:\/\/\S+/.exec(broker.stderr)?.[0] ?? ""];
    const asked = [
      ["unreachable", "status", ...nobody],
      ["unreachable", "up", "--exit", ...nobody],
      ["unavailable", "propose", "a", ...empty],
      ["unavailable", "chosen", ...empty],
      ["unavailable", "why", ...empty],
    ];
    const told = await Promise.all(asked.map(([, ...args]) => run(...args, "--json")));
    for (const [i, { code, stdout, stderr }] of told.entries()) {
      expect([code, stderr]).toEqual([3, ""]);
      expect(JSON.parse(stdout)).toEqual({
        error: { code: asked[i]?.[0], message: expect.any(String), mayHaveHappened: false },
      });
    }
  });

  it("ends with code 3 when nobody is reached, in words and in JSON", async () => {
    const told = await run("status", ...nobody);
    expect(told).toMatchObject({ code: 3, stdout: "" });
    expect(told.stderr).toContain("no NATS server answers at nats://127.0.0.1:9");
    const json = await run("decide", "k", "v", ...nobody, "--json");
    expect(json).toMatchObject({ code: 3, stderr: "" });
    expect(JSON.parse(json.stdout)).toEqual({
      error: { code: "unreachable", message: expect.any(String), mayHaveHappened: false },
    });
  });

  it("never shows a password", async () => {
    const told = await run("status", "--nats", "nats://ann:secret@127.0.0.1:9");
    expect(told.code).toBe(3);
    expect(told.stdout + told.stderr).not.toContain("secret");
  });

  it("refuses a worker without its descriptor, or with a wrong one", async () => {
    const missing = await run("worker", "acceptor:a1", "--data", "d");
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain("cluster.yaml:1:1: there is no such file");
  });
});

describe("format", () => {
  it("draws a descriptor, then the stores, once", async () => {
    const cwd = await processes.folder();
    const drawn = await runHere(["format", "--new", "demo", "--proposers", "1"], { cwd });
    const { writeFile } = await import("node:fs/promises");
    await writeFile(`${cwd}/cluster.yaml`, drawn.stdout);
    const store = ["format", "acceptor:a2", "proposer", "learner:l1", "--data", "d", "--json"];
    const { code, stdout, stderr } = await runHere(store, { cwd });
    expect(code).toBe(0);
    const made = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { store: string });
    expect(made.map((line) => ({ ...line, store: line.store.length }))).toEqual([
      { role: "acceptor", id: "a2", store: 32, data: "d/acceptor-a2" },
      { role: "proposer", id: "p1", store: 32, data: "d/proposer-p1" },
    ]);
    expect(drawn.stdout).toContain(made[0]?.store);
    expect(stderr).toContain("learner l1 remembers nothing and needs no store");
    const again = await runHere(store, { cwd });
    expect(again.code).toBe(1);
    expect(again.stdout).toContain("d/acceptor-a2 already holds a store");
    const json = await runHere(["format", "--new", "demo", "--json"], { cwd });
    await writeFile(`${cwd}/json.yaml`, json.stdout);
    const fromJson = ["format", "acceptor:a1", "--data", "e", "--descriptor", "json.yaml"];
    expect((await runHere(fromJson, { cwd })).code).toBe(0);
    expect((await run("format", "--draw")).stdout).toMatch(/^[0-9a-f]{32}\n$/);
  });
});

describe("chart", () => {
  it("prints each form", async () => {
    const [mermaid, json, module, all] = await Promise.all([
      run("chart", "acceptor"),
      run("chart", "acceptor", "--json"),
      run("chart", "acceptor", "--format", "xstate"),
      run("chart", "--format", "json"),
    ]);
    expect(mermaid.stdout).toMatch(/^stateDiagram-v2\n/);
    expect(JSON.parse(json.stdout)).toMatchObject({ id: "acceptor", initial: "recovering" });
    expect(module.stdout).toContain("createMachine(");
    expect(Object.keys(JSON.parse(all.stdout) as object)).toContain("synod-proposer");
    const lines = (await run("chart", "--json")).stdout.trimEnd().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { id: string }).id)).toEqual(
      Object.keys(JSON.parse(all.stdout) as object),
    );
  });
});

/**
 * Goal: roles in processes of their own decide keys, whoever is killed, and refuse what would make
 * them break their word.
 * Method: `worker` processes without a supervisor, on a nats-server and on the embedded broker;
 * kill -9, wiped and foreign stores; asked by the library under its own name and by `decide`.
 */
import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { connect } from "synod";
import { afterEach, describe, expect, it } from "vitest";
import { findNatsServer, startNatsServer } from "../support/nats-server.js";
import { runHere } from "./here.js";
import { environment, Processes, type Running } from "./processes.js";

const processes = new Processes();
let endServer = async () => {};

afterEach(async () => {
  await processes.clear();
  await endServer();
  endServer = async () => {};
});

/** Starts a server. @returns its address */
type StartServer = () => Promise<string>;

const nats: StartServer = async () => {
  const server = await startNatsServer();
  endServer = () => server.stop();
  return server.url;
};

const embedded: StartServer = async () => {
  const broker = processes.start(["broker"]);
  await broker.says("broker on nats://");
  return /nats:\/\/\S+/.exec(broker.stderr)?.[0] ?? "";
};

/** A cluster on disk and the processes that run it. */
class Town {
  readonly folder: string;
  readonly url: string;
  readonly workers = new Map<string, Running>();

  private constructor(folder: string, url: string) {
    this.folder = folder;
    this.url = url;
  }

  /** Draws a descriptor, formats the stores of its acceptors. */
  static async found(url: string): Promise<Town> {
    const town = new Town(await processes.folder(), url);
    const drawn = await runHere(["format", "--new", "demo"]);
    expect(drawn).toMatchObject({ code: 0, stderr: "" });
    const { writeFile } = await import("node:fs/promises");
    await writeFile(join(town.folder, "cluster.yaml"), drawn.stdout);
    const acceptors = ["acceptor:a1", "acceptor:a2", "acceptor:a3"];
    const formatted = await town.run(["format", ...acceptors, "--data", "data"]);
    expect(formatted.code).toBe(0);
    expect(formatted.stdout).toMatch(/^acceptor a1 [0-9a-f]{32} data\/acceptor-a1\n/);
    return town;
  }

  /** Runs a command in this process. */
  run(args: readonly string[]) {
    return runHere(args, { cwd: this.folder, env: this.environment });
  }

  /** Runs a worker that ends by itself. */
  runWorker(role: string, data: string) {
    const args = ["worker", role, "--data", data];
    return processes.run(args, { cwd: this.folder, env: this.environment });
  }

  get environment(): NodeJS.ProcessEnv {
    return { ...environment(), NATS_URL: this.url };
  }

  async start(...roles: readonly string[]): Promise<void> {
    const { folder: cwd, environment: env } = this;
    const started = roles.map((role) => {
      const worker = processes.start(["worker", role, "--data", "data"], { cwd, env });
      this.workers.set(role, worker);
      return worker.says('"msg":"serving"');
    });
    await Promise.all(started);
  }

  kill(role: string): Promise<unknown> {
    return this.workers.get(role)?.end("SIGKILL") ?? Promise.resolve();
  }

  decide(...args: readonly string[]) {
    return this.run(["decide", ...args]);
  }
}

const everybody = ["acceptor:a1", "acceptor:a2", "acceptor:a3", "synod-proposer:s1"];

const found = await findNatsServer();
const [name, start] =
  "path" in found
    ? (["a real nats-server", nats] as const)
    : (["the embedded broker", embedded] as const);

describe(`keys on ${name}`, () => {
  it("are decided while acceptors die and return", async () => {
    const town = await Town.found(await start());
    await town.start(...everybody);
    expect(await town.decide("colour", "blue")).toMatchObject({ code: 0, stdout: "blue\n" });
    await using synod = await connect({ cluster: "demo", nats: town.url });
    const many = Array.from({ length: 20 }, async (_, i) => {
      if (i === 10) await town.kill("acceptor:a1");
      return synod.decide(`key-${i}`, `value-${i}`);
    });
    expect(await Promise.all(many)).toEqual(many.map((_, i) => `value-${i}`));
    await town.kill("acceptor:a2");
    const [lonely, told] = await Promise.all([
      town.decide("shape", "round", "--timeout", "1200"),
      town.run(["why", "--json"]),
    ]);
    expect(lonely).toMatchObject({ code: 3, stdout: "" });
    expect(told.code).toBe(0);
    const waiting = synod.decide("shape", "square", { timeoutMs: 20_000 });
    await town.start("acceptor:a2");
    const shape = await waiting;
    expect(["round", "square"]).toContain(shape);
    for (const role of everybody) await town.kill(role);
    await town.start(...everybody);
    expect(await town.decide("colour", "red")).toMatchObject({ code: 0, stdout: "blue\n" });
    const asked = await town.decide("shape", "--json");
    expect(JSON.parse(asked.stdout)).toEqual({ key: "shape", value: shape });
  });
});

describe("a worker process", () => {
  it("is refused a store that is in use, wiped, or of another cluster", async () => {
    const town = await Town.found(await embedded());
    await town.start("acceptor:a1", "acceptor:a2", "synod-proposer:s1");
    await town.decide("colour", "blue");
    const second = await town.runWorker("acceptor:a1", "data");
    expect(second.code).toBe(4);
    expect(second.stderr).toMatch(/data\/acceptor-a1 is in use by process \d+; stop it, or give/);

    await town.kill("acceptor:a1");
    await rm(join(town.folder, "data", "acceptor-a1"), { recursive: true });
    const wiped = await town.runWorker("acceptor:a1", "data");
    expect(wiped.code).toBe(4);
    expect(wiped.stderr).toContain("data/acceptor-a1 holds no store. If this role never ran");
    expect(wiped.stderr).toContain("an empty store would have forgotten its promises");

    const other = await Town.found(town.url);
    const foreign = await other.runWorker("acceptor:a1", `${town.folder}/data`);
    expect(foreign.code).toBe(4);
    const a2 = await other.runWorker("acceptor:a3", `${town.folder}/data`);
    expect(a2.stderr).toContain("holds the store of acceptor a3 of another cluster");
  });

  it("goes on where its store was moved, to another disk and to another machine", async () => {
    const town = await Town.found(await embedded());
    await town.start(...everybody);
    await town.decide("colour", "blue");
    await town.kill("acceptor:a3");
    const move = (...args: string[]) => town.run(["move", "acceptor:a1", "--data", ...args]);
    const inUse = await move("data", "--to", "disk");
    expect(inUse).toMatchObject({ code: 1, stdout: "" });
    expect(inUse.stderr).toMatch(/data\/acceptor-a1 is in use by process \d+/);

    // A plain copy is refused, and the refusal says what to do instead.
    await town.kill("acceptor:a1");
    const copied = join(town.folder, "copied");
    await cp(join(town.folder, "data", "acceptor-a1"), join(copied, "acceptor-a1"), {
      recursive: true,
    });
    const refused = await town.runWorker("acceptor:a1", "copied");
    expect(refused.code).toBe(4);
    expect(refused.stderr).toContain("move it with `synod move acceptor:a1 --to FOLDER`");

    expect(await move("data", "--to", "disk")).toMatchObject({
      code: 0,
      stdout: "disk/acceptor-a1\n",
    });
    const old = await town.runWorker("acceptor:a1", "data");
    expect(old.code).toBe(4);
    expect(old.stderr).toMatch(/was moved from data\/acceptor-a1 to \S+\/disk\/acceptor-a1/);

    // To another machine: what is there is a folder of its own here.
    const awaited = await move("there", "--await", "--json");
    const { code } = JSON.parse(awaited.stdout) as { code: string };
    expect(awaited.stderr).toContain(`--for ${code}`);
    const mistyped = code.replace(/.$/, (last) => (last === "0" ? "1" : "0"));
    expect(await move("disk", "--for", mistyped)).toMatchObject({ code: 2, stdout: "" });
    expect((await move("disk", "--for", code)).stdout).toBe("disk/acceptor-a1\n");
    await cp(join(town.folder, "disk", "acceptor-a1"), join(copied, "carried"), {
      recursive: true,
    });
    expect((await move("there", "--from", "copied/carried")).stdout).toBe("there/acceptor-a1\n");
    const { folder: cwd, environment: env } = town;
    const there = processes.start(["worker", "acceptor:a1", "--data", "there"], { cwd, env });
    await there.says('"msg":"serving"');
    // Two of three acceptors are a quorum: the moved one has its vote, and gives new ones.
    expect(await town.decide("colour", "red")).toMatchObject({ code: 0, stdout: "blue\n" });
    expect(await town.decide("shape", "round")).toMatchObject({ code: 0, stdout: "round\n" });
  });

  it("ends in good order when it is told, with code 0", async () => {
    const town = await Town.found(await embedded());
    await town.start("acceptor:a1", "acceptor:a2", "acceptor:a3");
    const end = async (id: string, signal: NodeJS.Signals) => {
      const ended = await town.workers.get(`acceptor:${id}`)?.end(signal);
      expect(ended).toMatchObject({ code: 0, signal: null, stdout: "" });
    };
    await end("a1", "SIGTERM");
    await end("a2", "SIGINT");
    const { roles } = JSON.parse((await town.run(["status", "--json"])).stdout) as {
      roles: { id: string; state: string }[];
    };
    for (const id of ["a1", "a2"]) {
      expect(roles.find((row) => row.id === id)).toMatchObject({ state: "silent", pid: null });
    }
    await end("a3", "SIGHUP");
  });

  it("waits for a server that is not there, and says so once", async () => {
    const town = await Town.found("nats://127.0.0.1:9");
    const { folder: cwd, environment: env } = town;
    const worker = processes.start(["worker", "acceptor:a1", "--data", "data"], { cwd, env });
    await worker.says("waiting: no NATS server answers at nats://127.0.0.1:9");
    const ended = await worker.end("SIGTERM");
    expect(ended.code).toBe(0);
  });
});

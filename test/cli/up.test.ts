/**
 * Goal: one command brings up a whole cluster, continues it, and leaves nothing behind.
 * Method: `up` from dist in temporary folders, with a nats-server and without, killed in all ways.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { connect } from "synod";
import { afterEach, describe, expect, it } from "vitest";
import { createRandom } from "../../src/adapters/node/clock.js";
import { ClusterFolder } from "../../src/worker/cluster-folder.js";
import { drawCluster } from "../../src/worker/descriptor.js";
import { formatStores } from "../../src/worker/local-cluster.js";
import { findNatsServer } from "../support/nats-server.js";
import { runHere } from "./here.js";
import { environment, isAlive, Processes, type Running, recordOf, until } from "./processes.js";

const processes = new Processes();
afterEach(() => processes.clear());

const server = await findNatsServer();
const here = "path" in server ? server.path : undefined;
/** With a nats-server on PATH (`up` looks in /usr/sbin too) the broker must be asked for. */
const servers = {
  "nats-server": { env: environment(here), args: [] },
  broker: { env: environment(), args: ["--embedded", "--placement", "single"] },
};
/** Starts quickly, for what is the same in every placement. */
const single = ["--embedded", "--placement", "single"];
/** Starting up to ten processes on a busy machine of two cores. */
const slowMs = 60_000;

async function bringUp(cwd: string, args: readonly string[], env = environment()) {
  const up = processes.start(["up", ...args], { cwd, env });
  await up.says(/stores and logs in/, slowMs);
  return { up, record: recordOf(cwd) };
}

/** Makes the cluster that `up` would make in a folder. */
async function found(cwd: string): Promise<void> {
  const folder = await ClusterFolder.open(cwd);
  const random = createRandom();
  const cluster = drawCluster({ name: "demo", acceptors: 3, proposers: 2, random });
  await folder.create(cluster, (data) => formatStores(cluster, data));
  await folder.close();
}

async function type(up: Running, ...lines: readonly string[]): Promise<void> {
  for (const line of lines) up.child.stdin?.write(`${line}\n`);
  await until(() => lines.every((line) => up.stdout.includes(`${line}\n`)), slowMs);
}

describe("up", () => {
  it.each(Object.entries(servers))(
    "proposes a file, prints it byte for byte, and ends (%s)",
    async (name, { env, args }) => {
      const cwd = await processes.folder();
      const lines = Array.from({ length: 500 }, (_, i) => `line ${i} äöü ${"x".repeat(i)}`);
      const bytes = Buffer.concat([
        Buffer.from(`${lines.join("\n")}\n`),
        Buffer.from([0xff, 0x00, 0x0d, 0x0a]),
        Buffer.from("no line break at the end"),
      ]);
      const up = processes.start(["up", "--exit", ...args], { cwd, env });
      const printed: Buffer[] = [];
      up.child.stdout?.removeAllListeners("data").setEncoding("latin1");
      up.child.stdout?.on("data", (text: string) => printed.push(Buffer.from(text, "latin1")));
      up.child.stdin?.end(bytes);
      const { code, stderr } = await up.ended;
      expect(stderr).toContain(name === "broker" || here === undefined ? "broker" : "nats-server");
      expect(stderr).toMatch(/synod: 502 lines chosen in .*, positions 1 to 502 \(/);
      expect(Buffer.concat(printed).equals(bytes)).toBe(true);
      expect(code).toBe(0);
      expect(existsSync(join(cwd, ".synod", "up.json"))).toBe(false);
    },
    slowMs,
  );

  it(
    "restarts what dies, ends all when it is killed, and goes on as long as there is a quorum",
    async () => {
      const cwd = await processes.folder();
      const wipe = (id: string) => {
        rmSync(join(cwd, ".synod", "data", `acceptor-${id}`), { recursive: true });
      };
      const first = await bringUp(cwd, ["--embedded"]);
      await type(first.up, "one", "two");
      const { pid, processes: pids } = first.record;
      const a1 = pids["acceptor a1"] ?? 0;
      process.kill(a1, "SIGKILL");
      await first.up.says(`acceptor a1 (pid ${a1}) was killed by SIGKILL: starting it again`);
      await first.up.says("acceptor a1 is back");
      await type(first.up, "three");

      const second = await processes.run(["up"], { cwd });
      expect(second.code).toBe(1);
      expect(second.stderr).toContain(`already, run by process ${pid}: use that one`);

      await first.up.end("SIGKILL");
      await until(() => Object.values(pids).every((one) => !isAlive(one)), 10_000);

      // Without an acceptor whose store was wiped, and with another server.
      wipe("a3");
      const { up, record } = await bringUp(cwd, ["--embedded"]);
      expect(record.cluster).toBe("demo");
      expect(up.stderr).toMatch(
        /acceptor a3 \(pid \d+\) is not started again: .* holds no store\./,
      );
      expect(up.stderr).toMatch(/\n {2}acceptor a3 +does not run\n/);
      await type(up, "four");
      const broker = record.processes["broker"] ?? 0;
      process.kill(broker, "SIGKILL");
      await up.says("broker is back");
      await type(up, "five");
      const chosen = await runHere(["chosen"], { cwd });
      expect(chosen).toMatchObject({ code: 0, stdout: "one\ntwo\nthree\nfour\nfive\n" });

      wipe("a1");
      process.kill(record.processes["acceptor a1"] ?? 0, "SIGKILL");
      const ended = await up.ended;
      expect(ended).toMatchObject({ code: 4, stdout: "four\nfive\n" });
      expect(ended.stderr).toMatch(/\nsynod: not up: 1 of 3 acceptors run: .* holds no store\./);
    },
    2 * slowMs,
  );

  it(
    "prints what others propose as soon as they can find it, and nothing of earlier lives",
    async () => {
      const cwd = await processes.folder();
      const input = Array.from({ length: 600 }, (_, i) => `${i} ${"x".repeat(1000)}\n`).join("");
      const first = await processes.run(["up", "--exit", ...single], { cwd, input });
      expect(first).toMatchObject({ code: 0, stdout: input });
      const up = processes.start(["up", "--embedded", "--placement", "colocated"], { cwd });
      await until(() => existsSync(join(cwd, ".synod", "up.json")), slowMs);
      await runHere(["propose", "later", "--timeout", "30000"], { cwd });
      const chosen = await runHere(["chosen"], { cwd });
      expect(chosen.stdout === `${input}later\n`).toBe(true);
      await until(() => up.stdout !== "", slowMs);
      expect(up.stdout).toBe("later\n");
    },
    2 * slowMs,
  );

  it(
    "ends where no quorum can be formed, with the code of the refusal",
    async () => {
      const cwd = await processes.folder();
      const args = ["up", "--exit", "--embedded", "--placement", "colocated"];
      await found(cwd);
      const remove = (...ids: readonly string[]) => {
        for (const id of ids) rmSync(join(cwd, ".synod", "data", id), { recursive: true });
      };
      remove("acceptor-a1", "acceptor-a3");
      const two = await processes.run(args, { cwd, input: "one\n" });
      expect(two).toMatchObject({ code: 4, stdout: "" });
      expect(two.stderr).toMatch(/\nsynod: not up: 1 of 3 acceptors run: .*a1 holds no store\./);
      expect(two.stderr).not.toContain("is up on");
      remove("acceptor-a2");
      const none = await processes.run([...args.filter((one) => one !== "--exit"), "--json"], {
        cwd,
        input: "one\n",
      });
      expect(none.code).toBe(4);
      expect(JSON.parse(none.stdout)).toEqual({
        error: {
          code: "refused",
          message: expect.stringMatching(/^not up: 0 of 3 acceptors run: .*a1 holds no store\./),
          mayHaveHappened: false,
        },
      });
    },
    slowMs,
  );

  it.each(["SIGINT", "SIGHUP"] as const)(
    "--exit says how far it came, and takes its processes along (%s)",
    async (signal) => {
      const cwd = await processes.folder();
      const { up, record } = await bringUp(cwd, ["--exit", ...single]);
      up.child.stdin?.write("one\ntwo\n");
      await until(() => up.stdout === "one\ntwo\n", slowMs);
      const ended = await up.end(signal);
      expect(ended.code).toBe(130);
      expect(ended.stderr).toMatch(
        /\nsynod: interrupted: 2 lines chosen; 2 lines were read, and none behind\n$/,
      );
      await until(() => Object.values(record.processes).every((one) => !isAlive(one)), 5000);
    },
    slowMs,
  );

  it(
    "prints all it has before it ends, however slow its reader is",
    async () => {
      const cwd = await processes.folder();
      const input = Array.from({ length: 300 }, (_, i) => `${i} ${"x".repeat(1000)}\n`).join("");
      const up = processes.start(["up", "--exit", ...single], { cwd });
      up.child.stdout?.pause();
      up.child.stdin?.end(input);
      await up.says("stores and logs in", slowMs);
      await new Promise((resolve) => setTimeout(resolve, 3000));
      up.child.stdout?.resume();
      expect((await up.ended).stdout === input).toBe(true);
    },
    slowMs,
  );

  it(
    "names what is left out of a feed whose beginning is not kept",
    async () => {
      const cwd = await processes.folder();
      await found(cwd);
      const path = join(cwd, ".synod", "cluster.yaml");
      const text = readFileSync(path, "utf8");
      writeFileSync(path, text.replace("limits:\n", "limits:\n  historyBytesMax: 65536\n"));
      const { up, record } = await bringUp(cwd, single);
      const lines = Array.from({ length: 30 }, (_, i) => `${i} ${"x".repeat(5000)}`);
      // One a slot: a learner forgets whole slots.
      for (const line of lines) await type(up, line);
      const ended = await runHere(["chosen"], { cwd });
      expect([ended.code, ended.stdout.length]).toEqual([1, 0]);
      const [, after = ""] = /begin with --after (\d+), which leaves/.exec(ended.stderr) ?? [];
      const rest = await runHere(["chosen", "--after", after], { cwd });
      expect(rest.code).toBe(0);
      expect(rest.stdout).toMatch(/\n29 x+\n$/);
      const { code, stdout } = await up.end("SIGINT");
      expect(code).toBe(130);
      expect(stdout).toBe(`${lines.join("\n")}\n`);
      await until(() => Object.values(record.processes).every((one) => !isAlive(one)), 5000);
    },
    slowMs,
  );

  it(
    "serves all commands",
    async () => {
      const cwd = await processes.folder();
      const args = ["--embedded", "--placement", "colocated", "--cluster", "other"];
      const { up, record } = await bringUp(cwd, args);
      expect(record.cluster).toBe("other");
      const run = (...args: readonly string[]) => runHere(args, { cwd });
      const receipt = await run("propose", "hello", "--json", "--timeout", "20000");
      expect(JSON.parse(receipt.stdout)).toMatchObject({ position: 1, value: "hello" });
      const [chosen, decided, status, why] = await Promise.all([
        run("chosen", "--json"),
        run("decide", "colour", "blue"),
        run("status"),
        run("why", "--json"),
      ]);
      expect(JSON.parse(chosen.stdout)).toMatchObject({ position: 1, value: "hello" });
      expect(decided.stdout).toBe("blue\n");
      expect(status.stdout).toMatch(/^cluster other on nats:\/\/127\.0\.0\.1:\d+: leader p\d, /);
      expect(status.stdout).toMatch(/acceptor +a3 +\d+ +serving/);
      for (const line of why.stdout.trim().split("\n")) {
        expect(Object.keys(JSON.parse(line) as object)).toEqual(["role", "id", "waits"]);
      }
      await using synod = await connect({ cluster: "other", nats: record.server });
      expect((await synod.propose("from the library")).position).toBe(2);
      await until(() => up.stdout === "hello\nfrom the library\n");
      expect((await up.end("SIGTERM")).code).toBe(0);
    },
    slowMs,
  );

  it(
    "says what it cannot do",
    async () => {
      const cwd = await processes.folder();
      const run = (...args: readonly string[]) => runHere(["up", ...args], { cwd });
      const holder = createServer().listen(0, "127.0.0.1");
      await new Promise((resolve) => holder.once("listening", resolve));
      const { port } = holder.address() as { port: number };
      const inUse = await run("--exit", "--port", String(port));
      expect(inUse.code).toBe(1);
      expect(inUse.stderr).toContain(`port ${port} on 127.0.0.1 is in use: use what listens there`);
      holder.close();
      const absent = await run("--exit", "--nats", "nats://127.0.0.1:9");
      expect(absent.code).toBe(3);
      expect(absent.stderr).toContain("no NATS server answers at nats://127.0.0.1:9");
      const other = await run("--exit", "--acceptors", "5");
      expect(other.code).toBe(2);
      expect(other.stderr).toContain("has 3 acceptors: leave --acceptors out to continue it");
      const named = await run("--exit", "--cluster", "another");
      expect(named.stderr).toContain("is called demo: leave --cluster out");
      expect((await run("--placement", "spread")).code).toBe(2);
    },
    slowMs,
  );

  it(
    "refuses a server on which a cluster of its name answers",
    async () => {
      const [one, two] = [await processes.folder(), await processes.folder()];
      const { record } = await bringUp(one, single);
      const args = ["up", "--exit", "--placement", "single", "--nats", record.server];
      const twin = await runHere(args, { cwd: two });
      expect(twin.code).toBe(1);
      expect(twin.stderr).toContain(`a cluster demo answers on ${record.server} already`);
      const sister = await processes.run([...args, "--cluster", "sister", "--fresh"], {
        cwd: two,
        input: "hello\n",
      });
      expect(sister).toMatchObject({ code: 0, stdout: "hello\n" });
    },
    slowMs,
  );
});

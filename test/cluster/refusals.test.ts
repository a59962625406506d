/**
 * Goal: what the world refuses us (a server, a port, a folder, room on a disk) and what strangers
 * send ends in a sentence or a count, never in a crash, and never in a changed log.
 * Method: processes from dist; mounts of their own for disks; a client of the package `nats`.
 */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connect, type NatsConnection } from "nats";
import type { Status } from "synod";
import { afterEach, describe, expect, it } from "vitest";
import { roles } from "../../actors/index.js";
import { runHere } from "../cli/here.js";
import { Processes, type Running, recordOf, until, whyNoMounts } from "../cli/processes.js";
import { pidOf, slowMs, statusOf, Town, testMs } from "./cluster.js";

const processes = new Processes();
const clients: NatsConnection[] = [];
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await processes.clear();
});

const single = ["--embedded", "--placement", "single"];
const noMounts = whyNoMounts();
const why = noMounts === undefined ? "" : ` (skipped: ${noMounts})`;

async function startBroker(...args: readonly string[]): Promise<{ broker: Running; url: string }> {
  const broker = processes.start(["broker", ...args]);
  await broker.says("broker on nats://");
  return { broker, url: /nats:\/\/\S+/.exec(broker.stderr)?.[0] ?? "" };
}

/** Draws a descriptor in a new folder. */
async function draw(): Promise<string> {
  const cwd = await processes.folder();
  const { stdout } = await runHere(["format", "--new", "demo"]);
  await writeFile(join(cwd, "cluster.yaml"), stdout);
  return cwd;
}

async function stranger(town: Town): Promise<NatsConnection> {
  const client = await connect({ servers: recordOf(town.cwd).server });
  clients.push(client);
  return client;
}

/** Starts a cluster role by role; acceptor a3 has a small disk, which is full but for `freeKiB`. */
class Disks {
  readonly cwd: string;
  readonly url: string;
  readonly small: Running;

  private constructor(cwd: string, url: string, small: Running) {
    this.cwd = cwd;
    this.url = url;
    this.small = small;
  }

  static async start(freeKiB: number): Promise<Disks> {
    const { url } = await startBroker();
    const cwd = await draw();
    await mkdir(join(cwd, "small"));
    const others = ["proposer:p1", "elector:e1", "learner:l1", "gateway:g1"];
    const stateful = ["acceptor:a1", "acceptor:a2", "proposer:p1"];
    const formatted = await runHere(["format", ...stateful, "--data", "data"], { cwd });
    expect(formatted.code).toBe(0);
    const start = (args: readonly string[], mounts?: string) => {
      const given = mounts === undefined ? { cwd } : { cwd, mounts };
      return processes.start(["worker", ...args, "--nats", url], given);
    };
    const fill =
      'mount -t tmpfs -o size=8m none small; "$1" "$2" format acceptor:a3 --data small; ' +
      `free=$(df -k small | awk 'END { print $4 }'); ` +
      `head -c $(((free - ${freeKiB}) * 1024)) /dev/zero > small/ballast`;
    const small = start(["acceptor:a3", "--data", "small"], fill);
    const all = [
      small,
      start(["acceptor:a1", "--data", "data"]),
      start(["acceptor:a2", "--data", "data"]),
      start([...others, "--data", "data"]),
    ];
    await Promise.all(all.map((one) => one.says('"msg":"serving"', slowMs)));
    return new Disks(cwd, url, small);
  }

  propose(values: readonly string[]) {
    const args = ["propose", "--nats", this.url, "--timeout", "20000"];
    return runHere(args, { cwd: this.cwd, input: `${values.join("\n")}\n` });
  }

  async a3(): Promise<Status["roles"][number] | undefined> {
    const { roles: rows } = await statusOf(this.url, "demo");
    return rows.find(({ id }) => id === "a3");
  }

  async makeRoom(): Promise<void> {
    await rm(`/proc/${this.small.child.pid}/root${this.cwd}/small/ballast`);
  }
}

describe("a server", () => {
  it(
    "that is absent is waited for by a worker, and named by a command",
    async () => {
      const { broker, url } = await startBroker();
      await broker.end("SIGTERM");
      const cwd = await draw();
      const worker = processes.start(["worker", "learner", "--nats", url], { cwd });
      await worker.says(`waiting: no NATS server answers at ${url}`, slowMs);
      const proposed = await runHere(["propose", "hi", "--nats", url], { cwd });
      expect(proposed).toMatchObject({ code: 3, stdout: "" });
      expect(proposed.stderr).toMatch(/^synod: no NATS server answers at .+\n$/);
      await startBroker("--port", new URL(url).port);
      await worker.says('"msg":"serving"', slowMs);
    },
    testMs,
  );

  it(
    "on the port that `up` was given is not disturbed, and may be used as it says",
    async () => {
      const { url } = await startBroker();
      const cwd = await processes.folder();
      const refused = await processes.run(["up", "--exit", "--port", new URL(url).port], { cwd });
      expect(refused).toMatchObject({ code: 1, stdout: "" });
      const [advice = ""] = /--nats nats:\S+\d/.exec(refused.stderr) ?? [];
      const args = ["up", "--exit", "--placement", "single", ...advice.split(" ")];
      const used = await processes.run(args, {
        cwd,
        input: "hello\n",
      });
      expect(used).toMatchObject({ code: 0, stdout: "hello\n" });
    },
    testMs,
  );
});

describe("a disk", () => {
  it.skipIf(noMounts !== undefined)(`that is read-only is a sentence${why}`, async () => {
    const cwd = await draw();
    const formatted = await runHere(["format", "acceptor:a1", "--data", "data"], { cwd });
    expect(formatted.code).toBe(0);
    const readOnly = (folder: string) =>
      `mount --bind ${folder} ${folder}; mount -o remount,bind,ro ${folder}; cd ${cwd}`;
    const worker = await processes.run(["worker", "acceptor:a1", "--data", "data"], {
      cwd,
      mounts: readOnly("data"),
    });
    expect(worker).toMatchObject({ code: 4, stdout: "" });
    expect(worker.stderr).toMatch(/data\/acceptor-a1 cannot be used .+ Make it writable for this/);
    const format = await processes.run(["format", "acceptor:a2", "--data", "data"], {
      cwd,
      mounts: readOnly("data"),
    });
    expect(format).toMatchObject({ code: 1, stdout: "" });
    expect(format.stderr).toMatch(/^synod: data\/acceptor-a2 cannot be used .+ EROFS/);
    const up = await processes.run(["up", "--exit"], { cwd, mounts: readOnly(cwd) });
    expect(up).toMatchObject({ code: 1, stdout: "" });
    expect(up.stderr).toContain(".synod (EROFS): run `up` in a folder you may write to");
  });

  it.skipIf(noMounts !== undefined)(
    `that is full silences its acceptor until there is room, and nobody else${why}`,
    async () => {
      // A journal takes one MiB when the store is opened.
      const disks = await Disks.start(1024 + 320);
      const value = "x".repeat(40_000);
      let proposed = 0;
      await until(async () => {
        const values = Array.from({ length: 10 }, () => `${++proposed} ${value}`);
        expect(await disks.propose(values)).toMatchObject({ code: 0, stderr: "" });
        return (await disks.a3())?.state === "refusing";
      }, slowMs);
      const refusing = await disks.a3();
      expect(refusing?.dropped).toHaveProperty("disk_full");
      expect((await disks.propose(["while it is full"])).stdout).toContain("synced by a1 a2");
      const told = await processes.run(["why", "acceptor", "--nats", disks.url]);
      expect(told.stdout).toMatch(/^acceptor a3 waits for room on the disk .+: the disk is full/);
      await disks.makeRoom();
      await until(async () => (await disks.a3())?.state === "serving", slowMs);
      await until(async () => (await disks.propose(["again"])).stdout.includes(" a3"), slowMs);
    },
    testMs,
  );
});

describe("a stranger on the server", () => {
  it(
    "is counted, answered, and changes nothing",
    async () => {
      const cwd = await processes.folder();
      const town = await Town.bringUp(processes, cwd, single);
      await town.send(10);
      await town.prints(10);
      const client = await stranger(town);
      const before = await town.status();
      const verbs = ["prepare", "accept", "accepted", "propose", "chosen", "beacon", "nonsense"];
      const bodies = [[], [0xc1], [0x93, 0x01], [0xdf, 0xff, 0xff, 0xff, 0xff], [0xff, 0x00, 0x7b]];
      for (const { name } of Object.values(roles)) {
        for (const verb of verbs) {
          for (const to of ["all", "a1", "p1", "l1", "g1"]) {
            const subject = `synod.demo.${name}.${verb}.${to}.x`;
            for (const bytes of bodies) client.publish(subject, Uint8Array.from(bytes));
          }
        }
      }
      await client.flush();
      await town.send(10);
      await town.prints(20);
      const { dropped, roles: after } = await town.status();
      expect(dropped["undecodable"]).toBeGreaterThan(100);
      for (const row of before.roles) {
        expect(pidOf({ ...before, roles: after }, row.role, row.id)).toBe(row.pid);
      }
      expect(after.filter(({ state }) => state === "halted")).toEqual([]);
      const { stdout } = await town.run("chosen");
      expect(stdout).toBe(town.sent.join(""));
    },
    testMs,
  );

  it(
    "who proposes too much gets an error, and for nothing at all a receipt",
    async () => {
      const cwd = await processes.folder();
      const town = await Town.bringUp(processes, cwd, single);
      const client = await stranger(town);
      const ask = async (body: Uint8Array) => {
        const { data } = await client.request("synod.demo.propose", body, { timeout: 20_000 });
        return JSON.parse(new TextDecoder().decode(data)) as Record<string, unknown>;
      };
      const limit = 512 * 1024;
      expect(await ask(new Uint8Array(limit + 1))).toMatchObject({
        error: { code: "too_large", mayHaveHappened: false },
      });
      expect(await ask(new Uint8Array(0))).toMatchObject({ position: 1 });
      expect(await ask(new Uint8Array(limit).fill(0x61))).toMatchObject({ position: 2 });
      expect((await town.status()).dropped["too_large"]).toBe(1);
      const { stdout } = await town.run("chosen");
      expect(stdout === `\n${"a".repeat(limit)}\n`).toBe(true);
    },
    testMs,
  );
});

/**
 * Goal: `.synod/` never loses stores by itself. Method: take parts of it away between two lives.
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ClusterFolder, readUp } from "../../src/worker/cluster-folder.js";
import { exampleCluster } from "../support/examples.js";

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "synod-folder-"));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

/** Makes one store, as far as this folder cares. */
const format = async (data: string) => mkdirSync(join(data, "acceptor-a1"));

it("refuses to make a cluster anew over stores whose descriptor is gone", async () => {
  const folder = await ClusterFolder.open(base);
  await folder.create(exampleCluster(), format);
  rmSync(folder.descriptorPath);
  await expect(folder.create(exampleCluster(), format)).rejects.toThrow(/cluster\.yaml is gone/);
  expect(existsSync(join(folder.dataPath, "acceptor-a1"))).toBe(true);
  await folder.clear();
  await folder.create(exampleCluster(), format);
  expect(await folder.cluster()).toBeDefined();
  await folder.close();
});

it("makes a cluster anew whose making was interrupted", async () => {
  const folder = await ClusterFolder.open(base);
  const interrupted = folder.create(exampleCluster(), async (data) => {
    writeFileSync(join(data, "half"), "");
    throw new Error("killed");
  });
  await expect(interrupted).rejects.toThrow("killed");
  await folder.create(exampleCluster(), format);
  expect(existsSync(join(folder.dataPath, "half"))).toBe(false);
  expect(await folder.cluster()).toBeDefined();
  await folder.close();
});

it("keeps the end of a log that grows, and what came before it", async () => {
  const folder = await ClusterFolder.open(base);
  const path = await folder.logPath("acceptor a1");
  const file = openSync(path, "a");
  const read = (name: string) => readFileSync(name, "utf8");
  for (const part of ["first ".repeat(20), "second ".repeat(20), "end"]) {
    writeSync(file, part);
    await folder.boundLogs(100);
  }
  closeSync(file);
  expect(read(path)).toBe("end");
  expect(read(`${path}.old`)).toBe("second ".repeat(20));
  await folder.close();
});

const record = {
  pid: process.pid,
  server: "nats://127.0.0.1:4222",
  cluster: "demo",
  prefix: "synod",
  control: "synod.demo.ctl",
  processes: {},
};

it("is its owner's alone", async () => {
  const before = process.umask(0o000);
  try {
    const folder = await ClusterFolder.open(base);
    await folder.create(exampleCluster(), async () => undefined);
    closeSync(openSync(await folder.logPath("a1"), "a", 0o600));
    await folder.keepPort(4222);
    await folder.announce(record);
    const modes = readdirSync(folder.path, { recursive: true, encoding: "utf8" }).map((name) => {
      const stats = statSync(join(folder.path, name));
      return [name, stats.isDirectory() ? "folder" : "file", (stats.mode & 0o777).toString(8)];
    });
    expect(modes.length).toBeGreaterThanOrEqual(6);
    expect((statSync(folder.path).mode & 0o777).toString(8)).toBe("700");
    for (const [name, kind, mode] of modes) {
      expect([name, mode]).toEqual([name, kind === "folder" ? "700" : "600"]);
    }
    await folder.close();
  } finally {
    process.umask(before);
  }
});

it("says who is up by pid and start: a pid that was given out again is not up", async () => {
  const folder = await ClusterFolder.open(base);
  await folder.announce(record);
  expect(await readUp(base)).toMatchObject(record);
  const path = join(folder.path, "up.json");
  const written = JSON.parse(readFileSync(path, "utf8")) as object;
  writeFileSync(path, JSON.stringify({ ...written, start: "before the reboot" }));
  expect(await readUp(base)).toBeUndefined();
  writeFileSync(path, JSON.stringify(record));
  expect(await readUp(base)).toEqual(record);
  await folder.close();
  expect(await readUp(base)).toBeUndefined();
});

it("that cannot be read is not one where nobody is up, nor one without a cluster", async () => {
  const folder = await ClusterFolder.open(base);
  symlinkSync("up.json", join(folder.path, "up.json"));
  await expect(readUp(base)).rejects.toThrow(/up\.json cannot be read \(ELOOP\): .*belongs to uid/);
  symlinkSync("cluster.yaml", folder.descriptorPath);
  await expect(folder.cluster()).rejects.toThrow(/cluster\.yaml cannot be read \(ELOOP\)/);
  await expect(folder.create(exampleCluster(), format)).resolves.toBeUndefined();
  await folder.close();
});

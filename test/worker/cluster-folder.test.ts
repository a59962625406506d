/**
 * Goal: `.synod/` never loses stores by itself. Method: take parts of it away between two lives.
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ClusterFolder } from "../../src/worker/cluster-folder.js";
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

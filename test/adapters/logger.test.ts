/** The log: what a line holds, and that it survives the end of a process and a full disk. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import ts from "typescript";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { createLogger, type LoggerOptions } from "../../src/adapters/pino/logger.js";
import { Sink } from "../../src/adapters/pino/sink.js";

let folder: string;
let count = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "synod-log-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function open(options: Partial<LoggerOptions> = {}) {
  count += 1;
  const path = join(folder, `${count}.log`);
  const logger = createLogger({ level: "info", destination: { path }, ...options });
  onTestFinished(() => logger.close());
  return { logger, read: async () => (await readFile(path, "utf8")).trimEnd().split("\n") };
}

test("a line is one JSON object: level, time, pid, the child's fields, its own", async () => {
  const { logger, read } = open();
  const child = logger.child({ role: "acceptor", id: "a1" }).child({ store: "s" });
  child.info({ slot: 7, big: 12n, nested: { ok: true } }, "voted");
  child.debug({}, "too fine");
  logger.warn({ error: "x" }, "odd");
  logger.flush();
  const lines = (await read()).map((line) => JSON.parse(line));
  expect(lines).toHaveLength(2);
  const { time, ...first } = lines[0];
  expect(new Date(time).toISOString()).toBe(time);
  expect(first).toEqual({
    level: "info",
    pid: process.pid,
    role: "acceptor",
    id: "a1",
    store: "s",
    slot: 7,
    big: 12,
    nested: { ok: true },
    msg: "voted",
  });
  expect(lines[1]).toMatchObject({ level: "warn", error: "x", msg: "odd" });
});

test("pretty lines are for people", async () => {
  const { logger, read } = open({ pretty: true });
  logger.child({ role: "elector", id: "n1" }).warn({ leader: "p 1", lagMs: 3 }, "leader is silent");
  logger.info({}, "up");
  logger.flush();
  const [first = "", second = ""] = await read();
  expect(first).toMatch(/^\d\d:\d\d:\d\d\.\d{3} WARN {2}elector n1: leader is silent leader="p 1"/);
  expect(first).toMatch(/lagMs=3$/);
  expect(second).toMatch(/^\S+ INFO {2}up$/);
});

test("an error is written before the call returns", async () => {
  const { logger, read } = open();
  logger.info({}, "before");
  logger.error({ event: "halt" }, "halted");
  expect(await read()).toHaveLength(2);
});

test("in the background all lines come, in order", async () => {
  const { logger, read } = open();
  for (let i = 0; i < 5_000; i += 1) {
    logger.info({ i }, "line");
    if (i % 1_000 === 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  await expect.poll(async () => (await read()).length).toBe(5_000);
  expect((await read()).map((line) => JSON.parse(line).i)).toEqual([...Array(5_000).keys()]);
});

test("silent writes nothing; a closed log loses lines quietly", async () => {
  const silent = open({ level: "silent" });
  silent.logger.error({}, "x");
  expect(await silent.read()).toEqual([""]);
  const { logger } = open();
  logger.close();
  logger.close();
  logger.info({}, "late");
  expect(logger.lostCount).toBe(1);
});

test("after a truncation the next line stands at the beginning of the file", async () => {
  const path = join(folder, "rotated.log");
  const { logger } = open({ destination: { path } });
  logger.info({}, "before");
  logger.flush();
  await truncate(path);
  logger.info({}, "after");
  logger.flush();
  expect(JSON.parse(await readFile(path, "utf8"))).toMatchObject({ msg: "after" });
});

test("a path that cannot be written is named", () => {
  const path = join(folder, "no", "where.log");
  expect(() => open({ destination: { path } })).toThrow(
    `cannot write the log ${path} (ENOENT): check the path`,
  );
});

test.skipIf(!existsSync("/dev/full"))(
  "a full disk loses lines, and neither fails nor hangs",
  async () => {
    const { logger } = open({ destination: { path: "/dev/full" } });
    logger.info({}, "in the background");
    await expect.poll(() => logger.lostCount).toBe(1);
    logger.error({}, "at once");
    expect(logger.lostCount).toBe(2);
  },
);

test("lines that wait are bounded", () => {
  const sink = new Sink({ path: join(folder, "bounded.log") });
  const line = `${"x".repeat(1_048_575)}\n`;
  for (let i = 0; i < 6; i += 1) {
    sink.write(line);
  }
  expect(sink.lostCount).toBe(2);
  sink.close();
});

test("standard error gets all lines of a process that crashes; standard output none", async () => {
  const built = await build();
  const script = `
    import { createLogger } from ${JSON.stringify(built)};
    const logger = createLogger({ level: "info", destination: "stderr" });
    for (let i = 0; i < 1000; i += 1) logger.info({ i }, "line");
    throw new Error("crash");`;
  const args = ["--input-type=module", "-e", script];
  const [stdout, stderr] = await new Promise<[string, string]>((resolve) => {
    execFile(process.execPath, args, (_, out, error) => resolve([out, error]));
  });
  expect(stdout).toBe("");
  expect(stderr.split("\n").filter((line) => line.includes('"msg":"line"'))).toHaveLength(1_000);
});

/** Compiles the two files where they find their package. @returns the address of the logger */
async function build(): Promise<string> {
  const cache = new URL("../../node_modules/.cache/", import.meta.url);
  await mkdir(cache, { recursive: true });
  const target = await mkdtemp(join(fileURLToPath(cache), "synod-log-"));
  onTestFinished(() => rm(target, { recursive: true, force: true }));
  await writeFile(join(target, "package.json"), '{"type":"module"}');
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  for (const name of ["logger", "sink"]) {
    const source = new URL(`../../src/adapters/pino/${name}.ts`, import.meta.url);
    const { outputText } = ts.transpileModule(await readFile(source, "utf8"), { compilerOptions });
    await writeFile(join(target, `${name}.js`), outputText);
  }
  return pathToFileURL(join(target, "logger.js")).href;
}

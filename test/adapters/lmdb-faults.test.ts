/**
 * Goal: "durable" is said only after the disk has it, a full disk is an error and not the end of
 * the process, and a failed sync is the end of the store.
 * Method: real processes under strace, and on a small tmpfs of their own; skipped, with the reason,
 * where the system does not let a test do that.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findStrace } from "../support/strace.js";
import { buildChildren, lacking, run, writeChild } from "./lmdb-child.js";

const strace = await findStrace();
const tracer = "path" in strace ? strace.path : "strace";
const noUnshare = lacking("unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt");

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "synod-faults-"));
  buildChildren(root);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const child = (name: string, program: string) => writeChild(root, name, program);

/** Runs a program in a mount namespace of its own, with a small tmpfs at `<root>/small`. */
function runOnSmallDisk(sizeKiB: number, program: string) {
  mkdirSync(join(root, "small"), { recursive: true });
  const path = child("small", `const small = ${JSON.stringify(join(root, "small"))};\n${program}`);
  const mount = `mount -t tmpfs -o size=${sizeKiB}k none "$1" && exec "$2" "$3"`;
  const args = ["-c", mount, "sh", join(root, "small"), process.execPath, path];
  return run("unshare", "-rm", "sh", ...args);
}

interface Call {
  readonly name: string;
  readonly fd: number;
  readonly rest: string;
}

/** Reads a trace: the calls of all threads, in the order in which they ended. */
function readTrace(text: string): Call[] {
  const begun = new Map<string, string>();
  return text.split("\n").flatMap((line) => {
    const [, thread = "", said = ""] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
    const isBegin = / <unfinished \.\.\.>$/.exec(said);
    if (isBegin !== null) {
      begun.set(thread, said.slice(0, isBegin.index));
      return [];
    }
    const rest = /^<\.\.\. \w+ resumed>(.*)$/.exec(said)?.[1];
    const whole = rest === undefined ? said : (begun.get(thread) ?? "") + rest;
    const [, name, args] = /^(\w+)\((.*)$/.exec(whole) ?? [];
    if (name === undefined || args === undefined) return [];
    return [{ name, fd: Number.parseInt(args, 10), rest: args }];
  });
}

const skipped = "missing" in strace ? ` (skipped: ${strace.missing})` : "";

describe.skipIf("missing" in strace)(`a write${skipped}`, () => {
  const title = "is synced before `done`: a record of the journal, then fdatasync";
  it.each(["in place", "beside"])(`${title}, %s`, (syncs) => {
    const data = JSON.stringify(join(root, `traced ${syncs}`));
    const path = child(
      "traced",
      `await formatDirectory(${data}, identity);
       const { store, close } = await openDirectory(${data}, identity, { syncs: "${syncs}" });
       for (let at = 0; at < 8; at++) {
         say("begin");
         const error = await commit(store, [vote(at, 5000 * at)]);
         say("done " + error);
       }
       await close();`,
    );
    const log = join(root, "trace");
    const calls = "trace=openat,fdatasync,fsync,msync,pwrite64,pwritev,write,writev,sendto";
    const ended = run(tracer, "-f", "-s", "60", "-o", log, "-e", calls, process.execPath, path);
    expect(ended).toMatchObject({ status: 0, out: "begin\ndone null\n".repeat(8) });

    const traced = readTrace(readFileSync(log, "utf8"));
    const fdOf = ({ rest }: Call) => Number(/= (\d+)$/.exec(rest)?.[1]);
    const journals = traced.filter(({ rest }) => rest.includes('store.journal",'));
    const pages = traced.filter(({ rest }) => /store\.mdb",.*O_(?:RDWR|WRONLY)/.test(rest));
    const [journal, lmdb] = [new Set(journals.map(fdOf)), new Set(pages.map(fdOf))];
    const kindOf = ({ name, fd, rest }: Call): string => {
      if (name === "write" && fd === 1) return rest.includes("begin") ? "[" : "]";
      if (name === "fdatasync") return journal.has(fd) && rest.endsWith("= 0") ? "S" : "!";
      if (!name.includes("write")) return "";
      return journal.has(fd) ? "j" : lmdb.has(fd) ? "p" : "";
    };
    const story = traced.map(kindOf).join("");
    const commits = story.match(/\[[^\]]*\]/g) ?? [];
    expect(commits).toHaveLength(8);
    for (const one of commits) expect(one).toBe("[jS]");
  });

  it("whose sync fails is `failed`, and so is every one after it", () => {
    // Format syncs once; opening syncs LMDB, which then names a journal, and that; then each
    // commit.
    for (const when of [4, 7]) {
      const data = JSON.stringify(join(root, `eio-${when}`));
      const path = child(
        `eio-${when}`,
        `if (!fs.existsSync(${data})) await formatDirectory(${data}, identity);
         const { store, close } = await openDirectory(${data}, identity, { syncs: "in place" });
         say("has " + slots(store));
         for (let at = 0; at < 6; at++) {
           const error = await commit(store, [vote(at)]);
           say(at + " " + (error === null ? "ok" : error.kind));
         }
         await close();`,
      );
      const inject = `inject=fdatasync:error=EIO:when=${when}`;
      const args = ["-f", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", inject];
      const ended = run(tracer, ...args, process.execPath, path);
      expect([ended.status, ended.err]).toEqual([0, ""]);
      const said = ended.out.trim().split("\n").slice(1);
      const first = said.findIndex((line) => line.endsWith("failed"));
      expect(first).toBeGreaterThanOrEqual(0);
      expect(said.slice(0, first).every((line) => line.endsWith("ok"))).toBe(true);
      expect(said.slice(first)).toHaveLength(6 - first);
      expect(said.slice(first).every((line) => line.endsWith("failed"))).toBe(true);
      // The next process finds at least what was said to be durable.
      const [has] = run(process.execPath, path).out.split("\n");
      const held = has?.replace("has ", "").split(",").filter(Boolean).map(Number) ?? [];
      for (let slot = 0; slot < first; slot++) expect(held).toContain(slot);
      expect(held.length).toBeLessThanOrEqual(first + 1);
    }
  });

  it("of LMDB's head that fails is no damage: the next start has all that was said", () => {
    let heads = 0;
    for (let when = 1; when <= 6; when++) {
      const directory = join(root, `head-${when}`);
      const data = JSON.stringify(directory);
      const path = child(
        `head-${when}`,
        `if (!fs.existsSync(${data})) await formatDirectory(${data}, identity);
         const { store, close } = await openDirectory(${data}, identity, { syncs: "in place" });
         say("has " + slots(store));
         if ((await commit(store, [vote(slots(store).length)])) === null) say("ok");
         await close();`,
      );
      expect(run(process.execPath, path).out).toBe("has \nok\n");
      const log = join(root, "head-trace");
      const inject = `inject=pwrite64:error=EIO:when=${when}`;
      const file = ["-P", join(directory, "store.mdb")];
      const args = ["-f", "-o", log, ...file, "-e", "trace=pwrite64", "-e", inject];
      run(tracer, ...args, process.execPath, path);
      if (/, 128, .*INJECTED/.test(readFileSync(log, "utf8"))) heads += 1;
      const { out, err } = run(process.execPath, path);
      expect([err, out.slice(0, 5)]).toEqual(["", "has 0"]);
    }
    expect(heads).toBeGreaterThan(1);
  });
});

describe("a full disk", () => {
  it("is `full`, loses nothing, and is well again once there is room", (context) => {
    if (noUnshare !== undefined) return context.skip(noUnshare);
    const ended = runOnSmallDisk(
      8192,
      `fs.writeFileSync(small + "/ballast", new Uint8Array(2_000_000));
       await formatDirectory(small + "/d", identity);
       let { store, close } = await openDirectory(small + "/d", identity);
       const sizes = [10, 3000, 60_000, 5000, 200_000, 1];
       const kept = [];
       let error = null;
       for (let at = 0; error === null; at++) {
         error = await commit(store, [vote(at, sizes[at % sizes.length])]);
         if (error === null) kept.push(at);
       }
       say(error.kind + " " + (kept.length > 20) + " " + store.hasRoom());
       const same = () => String(slots(store)) === String(kept);
       say("same " + same() + " " + store.reload().length);
       // Again and again: none may end the process, and small ones may still fit.
       for (let at = 0; at < 30; at++) {
         const slot = 1000 + at;
         const refused = await commit(store, [vote(slot, sizes[at % sizes.length])]);
         if (refused === null) kept.push(slot);
       }
       say("same " + same());
       fs.rmSync(small + "/ballast");
       say("room " + store.hasRoom() + " " + (await commit(store, [vote(2000, 50_000)])));
       kept.push(2000);
       await close();
       ({ store, close } = await openDirectory(small + "/d", identity));
       say("same " + same() + " " + store.meta.incarnation);
       await close();`,
    );
    expect(ended).toMatchObject({ status: 0, signal: null, err: "" });
    const [first, second, ...rest] = ended.out.trim().split("\n");
    expect(first).toBe("full true false");
    expect(second).toMatch(/^same true [1-9]/);
    expect(rest).toEqual(["same true", "room true null", "same true 2"]);
  });

  it("at the start is a sentence, also with the lock file gone, and not the end", (context) => {
    if (noUnshare !== undefined) return context.skip(noUnshare);
    const ended = runOnSmallDisk(
      4096,
      `const fill = () => {
         const file = fs.openSync(small + "/ballast", "w");
         try { for (;;) fs.writeSync(file, new Uint8Array(4096)); } catch {}
         fs.closeSync(file);
       };
       await formatDirectory(small + "/d", identity);
       fill();
       await tell(openDirectory(small + "/d", identity));
       fs.rmSync(small + "/d/store.mdb-lock");
       fill();
       await tell(openDirectory(small + "/d", identity));
       await tell(formatDirectory(small + "/e", identity));
       fs.rmSync(small + "/ballast");
       await tell(openDirectory(small + "/d", identity));`,
    );
    expect(ended).toMatchObject({ status: 0, signal: null, err: "" });
    const lines = ended.out.trim().split("\n");
    expect(lines.slice(0, 3)).toHaveLength(3);
    for (const line of lines.slice(0, 3)) {
      expect(line).toMatch(/^no_room: .*the disk is full.*room/);
    }
    expect(lines[3]).toBe("opened");
  });

  it("that is read-only is a sentence too", (context) => {
    if (noUnshare !== undefined) return context.skip(noUnshare);
    const ended = runOnSmallDisk(
      4096,
      `const { spawnSync } = await import("node:child_process");
       await formatDirectory(small + "/d", identity);
       spawnSync("mount", ["-o", "remount,ro", small]);
       await tell(openDirectory(small + "/d", identity));
       await tell(formatDirectory(small + "/e", identity));`,
    );
    expect(ended).toMatchObject({ status: 0, signal: null, err: "" });
    for (const line of ended.out.trim().split("\n")) {
      expect(line).toMatch(/^unwritable: .*read-only file system.*writable/i);
    }
  });
});

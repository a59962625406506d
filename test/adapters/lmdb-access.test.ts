/**
 * Goal: only a file that is not there counts as absent; what may not be read is named with its
 * path, its owner and this user; nobody else can read what is made; a file system that counts no
 * blocks is not full.
 * Method: links that lead to themselves, which no user can follow; a process of another user where
 * the tests run as root; a tmpfs without a size.
 */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formatDirectory, openDirectory } from "../../src/adapters/lmdb/format.js";
import { StoreRefused } from "../../src/kernel/store/refusal.js";
import { identity } from "../kernel/stores.js";
import { buildChildren, lacking, run, writeChild } from "./lmdb-child.js";

const isRoot = process.getuid?.() === 0;
const asNobody = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
const noOtherUser = isRoot ? lacking("setpriv", ...asNobody, process.execPath, "-v") : undefined;
const noUnshare = lacking("unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt");

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "synod-access-"));
  chmodSync(root, 0o755);
  buildChildren(root);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function refusedAt(directory: string): Promise<StoreRefused> {
  const error = await openDirectory(directory, identity).then(
    () => undefined,
    (refused: unknown) => refused,
  );
  if (!(error instanceof StoreRefused)) throw new Error(`it was not refused: ${error}`);
  return error;
}

describe("a store that may not be read", () => {
  it("is not one that is absent: a path that leads nowhere", async () => {
    const loop = join(root, "loop");
    symlinkSync(loop, loop);
    const file = join(root, "a-file");
    writeFileSync(file, "");
    const inside = join(root, "inside");
    mkdirSync(inside);
    symlinkSync("store.mdb", join(inside, "store.mdb"));
    for (const [directory, path, code] of [
      [loop, loop, "ELOOP"],
      [join(file, "acceptor-a1"), join(file, "acceptor-a1"), "ENOTDIR"],
      [inside, join(inside, "store.mdb"), "ELOOP"],
    ] as const) {
      const refused = await refusedAt(directory);
      expect(refused.code).toBe("unreadable");
      expect(refused.message).toContain(`${path} cannot be read (${code})`);
      expect(refused.message).not.toContain("format it");
      const formatting = formatDirectory(directory, identity);
      await expect(formatting).rejects.toBeInstanceOf(StoreRefused);
    }
  });

  it("names its owner and this user, whoever runs this test", async (context) => {
    if (noOtherUser !== undefined) return context.skip(noOtherUser);
    const data = join(root, "closed");
    const directory = join(data, "acceptor-a1");
    await formatDirectory(directory, identity);
    const program = `await tell(openDirectory(${JSON.stringify(directory)}, identity));`;
    const path = writeChild(root, "reader", program);
    const runIt = () =>
      isRoot ? run("setpriv", ...asNobody, process.execPath, path) : run(process.execPath, path);
    // A user's own folder is closed to that user; root's is closed to nobody but root.
    const modes = isRoot ? [0o700] : [0o000];
    for (const closed of [data, directory]) {
      for (const mode of modes) {
        chmodSync(data, 0o755);
        chmodSync(closed, mode);
        const { out, err } = runIt();
        chmodSync(closed, 0o755);
        expect(err).toBe("");
        expect(out).toMatch(/^unreadable: /);
        expect(out).toContain("EACCES");
        expect(out).toContain(directory);
        expect(out).toContain(`${closed} belongs to uid ${process.getuid?.()}`);
        expect(out).toContain(`this process runs as uid ${isRoot ? 65534 : process.getuid?.()}`);
        expect(out).not.toContain("format it");
      }
    }
    // The file alone is closed: that it may not be written is said likewise.
    if (!isRoot) chmodSync(join(directory, "store.mdb"), 0o000);
    const { out } = runIt();
    expect(out).toMatch(/^unwritable: .*EACCES/);
    expect(out).toContain(`belongs to uid ${process.getuid?.()}`);
  });

  it("is readable for its owner alone, with all that lies in it", async () => {
    const before = process.umask(0o000);
    try {
      const directory = join(root, "private", "acceptor-a1");
      await formatDirectory(directory, identity);
      const { close } = await openDirectory(directory, identity);
      await close();
      const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);
      expect(modeOf(directory)).toBe("700");
      const files = readdirSync(directory);
      expect(files).toContain("store.mdb");
      for (const file of files)
        expect([file, modeOf(join(directory, file))]).toEqual([file, "600"]);
    } finally {
      process.umask(before);
    }
  });
});

describe("a file system that counts no blocks", () => {
  it("holds a store: it is not a full disk", (context) => {
    if (noUnshare !== undefined) return context.skip(noUnshare);
    const place = join(root, "uncounted");
    mkdirSync(place);
    const path = writeChild(
      root,
      "uncounted",
      `const place = ${JSON.stringify(place)};
       say("blocks " + fs.statfsSync(place).blocks);
       await formatDirectory(place + "/d", identity);
       const { store, close } = await openDirectory(place + "/d", identity);
       say("commit " + await commit(store, [vote(1)]));
       say("room " + store.hasRoom());
       await close();`,
    );
    const mount = 'mount -t tmpfs -o size=0 none "$1" && exec "$2" "$3"';
    const ended = run("unshare", "-rm", "sh", "-c", mount, "sh", place, process.execPath, path);
    expect(ended).toMatchObject({ err: "", out: "blocks 0\ncommit null\nroom true\n" });
  });
});

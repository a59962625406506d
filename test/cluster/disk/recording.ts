/**
 * A recording: what a traced process did to the files of one folder, read from the words of strace.
 *
 * strace is asked for hexadecimal strings of full length (`-xx -s`) and for the path of every
 * descriptor (`-y`). A call on the folder or a file in it that we do not know ends the reading with
 * an error: a recording that misses a write would prove nothing.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Number of a file: a name that is removed and made again is another file. */
export type FileNumber = number;

/** One thing that happened, in order. */
export type Op =
  /** Bytes were written; `synced`: through O_DSYNC, so that the call ends when they are safe. */
  | {
      readonly kind: "write";
      readonly file: FileNumber;
      readonly at: number;
      readonly bytes: Buffer;
      readonly synced: boolean;
    }
  /** A file was made longer or shorter. */
  | { readonly kind: "length"; readonly file: FileNumber; readonly to: number }
  /** All that was written to a file before is on stable storage. */
  | { readonly kind: "sync"; readonly file: FileNumber }
  /** An empty file was made under a name. */
  | { readonly kind: "create"; readonly name: string; readonly file: FileNumber }
  /** A name was taken from its file. */
  | { readonly kind: "remove"; readonly name: string }
  /** All names that were made and removed before are so on stable storage. */
  | { readonly kind: "folder" }
  /** The program began a commit, or was told that it is durable. */
  | { readonly kind: "begin" | "done"; readonly commit: number };

/** A traced call. */
interface Call {
  readonly name: string;
  readonly args: string;
  readonly result: number;
}

/** An open descriptor. */
interface Descriptor {
  /** `folder`: the folder itself. */
  readonly file: FileNumber | "folder";
  readonly synced: boolean;
  at: number;
}

/** Calls that could change a file, or make another descriptor of it. */
const traced = [
  "openat,open,creat,close,dup,dup2,dup3,fcntl,lseek,mmap,msync",
  "write,pwrite64,writev,pwritev,pwritev2,truncate,ftruncate,fallocate",
  "fdatasync,fsync,sync_file_range,copy_file_range,sendfile,splice,io_uring_setup",
  "rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat",
].join(",");
const stringBytesMax = 64 * 2 ** 20;
/** Calls that name a file by its path, and do nothing if they fail. */
const byPath = new Set(["openat", "unlink", "unlinkat"]);
/** Files whose content matters to nobody after a crash. */
const ignored = /-lock$/;

/** Arguments of strace for a log that {@link readRecording} reads. */
export function traceArgs(log: string): string[] {
  const what = ["-f", "--seccomp-bpf", "-y", "-xx", "-s", String(stringBytesMax)];
  return [...what, "-o", log, "-e", `trace=${traced}`];
}

/** Runs a command under strace. @returns what it said. @throws Error if it failed */
export function trace(strace: string, log: string, command: readonly string[]): string {
  const args = [...traceArgs(log), ...command];
  const { status, stdout, stderr } = spawnSync(strace, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`the traced process ended with ${status}: ${stderr}`);
  return stdout;
}

/** Says whether a file of a store's folder is one whose content counts. */
export function isRecorded(name: string): boolean {
  return !ignored.test(name);
}

/**
 * Reads the log of {@link trace}.
 *
 * @param folder path of the folder whose files count
 * @param present names of the files that were there before, which get the numbers from 0 on
 */
export function readRecording(log: string, folder: string, present: readonly string[]): Op[] {
  const reader = new Reader(folder, present);
  const waiting = new Map<string, string>();
  for (const line of readFileSync(log, "latin1").split("\n")) {
    const [, pid = "", said = ""] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    if (said.startsWith("+++")) waiting.delete(pid);
    const begun = /^(.*) <unfinished \.\.\.>$/.exec(said)?.[1];
    if (begun !== undefined) {
      waiting.set(pid, begun);
      continue;
    }
    const rest = /^<\.\.\. \w+ resumed>(.*)$/.exec(said)?.[1];
    const whole = rest === undefined ? said : (waiting.get(pid) ?? "") + rest;
    if (rest !== undefined) waiting.delete(pid);
    const [, name, args, result] = /^(\w+)\((.*)\)\s+= (-?\d+|0x[0-9a-f]+)/.exec(whole) ?? [];
    if (name === undefined || args === undefined) continue;
    reader.take({ name, args, result: Number(result) }, whole, waiting.values());
  }
  return reader.ops;
}

/** Turns calls into what they did to the folder and its files. */
class Reader {
  readonly ops: Op[] = [];
  /** How strace begins the path of a file in the folder, and writes that of the folder. */
  readonly #within: string;
  readonly #itself: string;
  readonly #open = new Map<number, Descriptor>();
  readonly #files = new Map<string, FileNumber>();
  #count: number;

  constructor(folder: string, present: readonly string[]) {
    this.#within = hex(`${folder}/`);
    this.#itself = `<${hex(folder)}>`;
    for (const [number, name] of present.entries()) this.#files.set(name, number);
    this.#count = present.length;
  }

  /** @param underWay the calls of other threads that have begun and not ended */
  take(call: Call, whole: string, underWay: Iterable<string>): void {
    if (call.name === "write" && call.args.startsWith("1<")) {
      this.#hear(call);
      return;
    }
    const name = this.#nameIn(whole);
    if (name !== undefined ? !isRecorded(name) : !whole.includes(this.#itself)) {
      if (call.name !== "io_uring_setup") return;
      throw new Error("the process uses io_uring, which strace does not see through");
    }
    if (call.result < 0) {
      if (byPath.has(call.name)) return;
      throw new Error(`a call on ${name ?? "the folder"} failed: ${whole.slice(-80)}`);
    }
    if (name === undefined) this.#touchFolder(call);
    else if (call.name === "openat") this.#opened(call, name);
    else if (call.name === "unlink" || call.name === "unlinkat") this.#remove(call, name);
    else this.#touch(call, name, underWay);
  }

  #hear({ args }: Call): void {
    const [text = Buffer.alloc(0)] = stringsOf(args);
    for (const line of text.toString().split("\n")) {
      const [, word, commit] = /^(begin|done) (\d+)$/.exec(line) ?? [];
      if (word === undefined) continue;
      this.ops.push({ kind: word as "begin" | "done", commit: Number(commit) });
    }
  }

  /** Name of the file in the folder that a call names, by its path or by a descriptor. */
  #nameIn(whole: string): string | undefined {
    for (const quote of ["<", '"']) {
      const at = whole.indexOf(quote + this.#within);
      if (at < 0) continue;
      const rest = whole.slice(at + 1 + this.#within.length);
      const text = /^(?:\\x[0-9a-f]{2})+/.exec(rest)?.[0] ?? "";
      return Buffer.from(text.replaceAll("\\x", ""), "hex").toString();
    }
    return undefined;
  }

  #touchFolder(call: Call): void {
    const fd = Number.parseInt(call.args, 10);
    switch (call.name) {
      case "openat":
        this.#open.set(call.result, { file: "folder", synced: false, at: 0 });
        return;
      case "close":
        this.#open.delete(fd);
        return;
      case "fsync":
        if (this.#descriptor(fd).file === "folder") this.ops.push({ kind: "folder" });
        return;
    }
    throw new Error(`a recording does not know what ${call.name} does to the folder`);
  }

  #opened(call: Call, name: string): void {
    let file = this.#files.get(name);
    if (file === undefined) {
      if (!call.args.includes("O_CREAT")) throw new Error(`${name} was made unseen`);
      file = this.#count++;
      this.#files.set(name, file);
      this.ops.push({ kind: "create", name, file });
    } else if (call.args.includes("O_TRUNC")) {
      this.ops.push({ kind: "length", file, to: 0 });
    }
    this.#open.set(call.result, { file, synced: /O_D?SYNC/.test(call.args), at: 0 });
  }

  #remove(call: Call, name: string): void {
    if (!this.#files.delete(name)) throw new Error(`${call.name} of ${name}, which was not there`);
    this.ops.push({ kind: "remove", name });
  }

  #touch(call: Call, name: string, underWay: Iterable<string>): void {
    const fd = Number.parseInt(call.args, 10);
    switch (call.name) {
      case "close":
        this.#open.delete(fd);
        return;
      case "lseek":
        this.#descriptor(fd).at = call.result;
        return;
      case "write":
      case "writev":
        this.#write(fd, this.#descriptor(fd).at, call, underWay);
        this.#descriptor(fd).at += call.result;
        return;
      case "pwrite64":
        this.#write(fd, lastNumber(call.args), call, underWay);
        return;
      case "ftruncate":
        this.ops.push({ kind: "length", file: this.#file(fd), to: lastNumber(call.args) });
        return;
      case "fdatasync":
      case "fsync":
        this.ops.push({ kind: "sync", file: this.#file(fd) });
        return;
      case "fcntl":
        if (/F_(?:[SG]ETFD|GETFL|[SG]ETLK)/.test(call.args)) return;
        break;
      case "mmap":
        if (!call.args.includes("PROT_WRITE")) return;
        break;
    }
    throw new Error(`a recording does not know what ${call.name} does to ${name}`);
  }

  #write(fd: number, at: number, call: Call, underWay: Iterable<string>): void {
    const bytes = Buffer.concat(stringsOf(call.args)).subarray(0, call.result);
    if (bytes.length !== call.result) throw new Error(`${call.name} was not recorded in full`);
    const file = this.#file(fd);
    for (const begun of underWay) {
      const [, syncing] = /^f(?:data)?sync\((\d+)/.exec(begun) ?? [];
      if (syncing === undefined || this.#open.get(Number(syncing))?.file !== file) continue;
      throw new Error("a write ended during a sync of its file: nobody can say if it was synced");
    }
    this.ops.push({ kind: "write", file, at, bytes, synced: this.#descriptor(fd).synced });
  }

  #file(fd: number): FileNumber {
    const { file } = this.#descriptor(fd);
    if (file === "folder") throw new Error(`descriptor ${fd} is the folder's`);
    return file;
  }

  #descriptor(fd: number): Descriptor {
    const open = this.#open.get(fd);
    if (open === undefined) throw new Error(`descriptor ${fd} was opened unseen`);
    return open;
  }
}

function hex(text: string): string {
  return [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
}

/** The bytes of all quoted strings. */
function stringsOf(args: string): Buffer[] {
  return [...args.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, text = ""]) =>
    Buffer.from(text.replaceAll("\\x", ""), "hex"),
  );
}

function lastNumber(args: string): number {
  return Number(/(\d+)$/.exec(args)?.[1]);
}

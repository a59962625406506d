/**
 * A recording: what a traced process did to one file, read from the words of strace.
 *
 * strace is asked for hexadecimal strings of full length (`-xx -s`) and for the path of every
 * descriptor (`-y`). A call on the file that we do not know ends the reading with an error: a
 * recording that misses a write would prove nothing.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** One thing that happened, in order. */
export type Op =
  /** Bytes were written; `synced`: through O_DSYNC, so that the call ends when they are safe. */
  | {
      readonly kind: "write";
      readonly at: number;
      readonly bytes: Buffer;
      readonly synced: boolean;
    }
  /** The file was made longer or shorter. */
  | { readonly kind: "length"; readonly to: number }
  /** All that was written before is on stable storage. */
  | { readonly kind: "sync" }
  /** The program began a commit, or was told that it is durable. */
  | { readonly kind: "begin" | "done"; readonly commit: number };

/** A traced call. */
interface Call {
  readonly name: string;
  readonly args: string;
  readonly result: number;
}

/** Calls that could change a file, or make another descriptor of it. */
const traced = [
  "openat,open,creat,close,dup,dup2,dup3,fcntl,lseek,mmap,msync",
  "write,pwrite64,writev,pwritev,pwritev2,truncate,ftruncate,fallocate",
  "fdatasync,fsync,sync_file_range,copy_file_range,sendfile,splice,io_uring_setup",
  "rename,renameat,renameat2,unlink,unlinkat",
].join(",");
const stringBytesMax = 64 * 2 ** 20;

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

/** Reads the log of {@link trace}. @param file the path of the file that counts */
export function readRecording(log: string, file: string): Op[] {
  const reader = new Reader(file);
  const waiting = new Map<string, string>();
  for (const line of readFileSync(log, "latin1").split("\n")) {
    const [, pid = "", said = ""] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    const begun = /^(.*) <unfinished \.\.\.>$/.exec(said)?.[1];
    if (begun !== undefined) {
      waiting.set(pid, begun);
      continue;
    }
    const rest = /^<\.\.\. \w+ resumed>(.*)$/.exec(said)?.[1];
    const whole = rest === undefined ? said : (waiting.get(pid) ?? "") + rest;
    const [, name, args, result] = /^(\w+)\((.*)\)\s+= (-?\d+|0x[0-9a-f]+)/.exec(whole) ?? [];
    if (name === undefined || args === undefined) continue;
    reader.take({ name, args, result: Number(result) }, whole);
  }
  return reader.ops;
}

/**
 * Marks the commits of a process that does not say when it begins one: each ends with the page that
 * makes it count, the only one that is written through O_DSYNC.
 *
 * @param first number of the first commit
 */
export function markCommits(ops: readonly Op[], first: number): Op[] {
  const marked: Op[] = [];
  let commit = first;
  let isOpen = false;
  for (const op of ops) {
    if (op.kind === "write" && !isOpen) {
      marked.push({ kind: "begin", commit });
      isOpen = true;
    }
    marked.push(op);
    if (op.kind === "write" && op.synced) {
      marked.push({ kind: "done", commit });
      commit += 1;
      isOpen = false;
    }
  }
  return marked;
}

/** Turns calls into what they did to the file. */
class Reader {
  readonly ops: Op[] = [];
  /** How strace names the file behind a descriptor. */
  readonly #mark: string;
  /** Its open descriptors. */
  readonly #open = new Map<number, { readonly synced: boolean; at: number }>();

  constructor(file: string) {
    this.#mark = `<${hex(file)}>`;
  }

  take(call: Call, whole: string): void {
    if (call.name === "write" && call.args.startsWith("1<")) {
      this.#hear(call);
    } else if (whole.includes(this.#mark)) {
      if (call.result < 0) throw new Error(`a call on the file failed: ${whole.slice(-80)}`);
      this.#touch(call);
    } else if (call.name === "io_uring_setup") {
      throw new Error("the process uses io_uring, which strace does not see through");
    }
  }

  #hear({ args }: Call): void {
    const [text = Buffer.alloc(0)] = stringsOf(args);
    const [, word, commit] = /^(begin|done) (\d+)\n$/.exec(text.toString()) ?? [];
    if (word === undefined) return;
    this.ops.push({ kind: word as "begin" | "done", commit: Number(commit) });
  }

  #touch(call: Call): void {
    const fd = Number.parseInt(call.args, 10);
    switch (call.name) {
      case "openat":
        this.#open.set(call.result, { synced: /O_D?SYNC/.test(call.args), at: 0 });
        if (call.args.includes("O_TRUNC")) this.ops.push({ kind: "length", to: 0 });
        return;
      case "close":
        this.#open.delete(fd);
        return;
      case "lseek":
        this.#descriptor(fd).at = call.result;
        return;
      case "write":
      case "writev":
        this.#write(fd, this.#descriptor(fd).at, call);
        this.#descriptor(fd).at += call.result;
        return;
      case "pwrite64":
        this.#write(fd, lastNumber(call.args), call);
        return;
      case "ftruncate":
        this.ops.push({ kind: "length", to: lastNumber(call.args) });
        return;
      case "fdatasync":
      case "fsync":
        this.ops.push({ kind: "sync" });
        return;
      case "fcntl":
        if (/F_(?:[SG]ETFD|GETFL|[SG]ETLK)/.test(call.args)) return;
        break;
      case "mmap":
        if (!call.args.includes("PROT_WRITE")) return;
        break;
    }
    throw new Error(`a recording does not know what ${call.name} does to the file`);
  }

  #write(fd: number, at: number, call: Call): void {
    const bytes = Buffer.concat(stringsOf(call.args)).subarray(0, call.result);
    if (bytes.length !== call.result) throw new Error(`${call.name} was not recorded in full`);
    this.ops.push({ kind: "write", at, bytes, synced: this.#descriptor(fd).synced });
  }

  #descriptor(fd: number): { readonly synced: boolean; at: number } {
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

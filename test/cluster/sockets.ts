/** What a process is connected to, as the kernel tells (Linux). */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** The TCP sockets of a process. */
export interface Sockets {
  /** Ports at the other end of its connections. */
  readonly connectedTo: readonly number[];
  /** Ports it listens on. */
  readonly listensOn: readonly number[];
  /** Unix sockets at whose other end there may be somebody: connected ones with a name. */
  readonly unixPeers: readonly string[];
}

const established = "01";
const listening = "0A";

/** Reads the sockets of a process. */
export function socketsOf(pid: number): Sockets {
  const own = inodesOf(pid);
  const tcp = ["tcp", "tcp6"]
    .flatMap((table) => rowsOf(pid, table))
    .map((row) => ({ local: row[1], far: row[2], state: row[3], inode: row[9] }))
    .filter(({ inode }) => own.has(inode ?? ""));
  const portOf = (address = "") => Number.parseInt(address.split(":")[1] ?? "", 16);
  const unix = rowsOf(pid, "unix").filter((row) => own.has(row[6] ?? ""));
  return {
    connectedTo: tcp.filter(({ state }) => state === established).map(({ far }) => portOf(far)),
    listensOn: tcp.filter(({ state }) => state === listening).map(({ local }) => portOf(local)),
    // State 03 is a connected stream; a listening one is 01.
    unixPeers: unix.filter((row) => row[5] === "03" && row[7] !== undefined).map((row) => row[7]!),
  };
}

function inodesOf(pid: number): Set<string> {
  const folder = `/proc/${pid}/fd`;
  const links = readdirSync(folder).map((fd) => {
    try {
      return readlinkSync(join(folder, fd));
    } catch {
      return "";
    }
  });
  return new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
}

function rowsOf(pid: number, table: string): string[][] {
  const text = readFileSync(`/proc/${pid}/net/${table}`, "utf8");
  return text
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/));
}

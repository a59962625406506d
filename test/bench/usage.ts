/** What a process has used of this machine. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Processor time since its start, user and system; resident memory now. */
export interface Usage {
  readonly cpuMs: number;
  readonly residentBytes: number;
}

/** Linux counts processor time in these, whatever the machine (proc(5), USER_HZ). */
const tickMs = 10;

/** Reads it from /proc, elsewhere from `ps`. @throws Error if there is no such process */
export function usageOf(pid: number): Usage {
  return process.platform === "linux" ? fromProc(pid) : fromPs(pid);
}

function fromProc(pid: number): Usage {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name stands in parentheses and may hold anything; utime and stime are 14 and 15 of all.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const residentKiB = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]);
  const ticks = Number(fields[11]) + Number(fields[12]);
  return { cpuMs: ticks * tickMs, residentBytes: residentKiB * 1024 };
}

/** `time` is `[[dd-]hh:]mm:ss[.ff]`. */
function fromPs(pid: number): Usage {
  const out = execFileSync("ps", ["-o", "time=,rss=", "-p", String(pid)], { encoding: "utf8" });
  const [time = "", rss = ""] = out.trim().split(/\s+/);
  const [days, clock = ""] = time.includes("-") ? time.split("-") : ["0", time];
  const seconds = clock.split(":").reduce((sum, part) => 60 * sum + Number(part), 0);
  return { cpuMs: (Number(days) * 86_400 + seconds) * 1000, residentBytes: Number(rss) * 1024 };
}

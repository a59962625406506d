/** A trace kept in memory: its files, by name. */
import type { Observer } from "../../src/kernel/observer.js";
import type { Cluster } from "../../src/paxos/cluster.js";
import { createTracer } from "../../src/trace/trace.js";
import { gather, type Trace } from "./checker.js";

/** Files that a tracer fills; one clock for all hosts, one step a line. */
export class MemoryTrace {
  readonly files = new Map<string, string>();
  readonly observer: Observer;
  #lc = 0;

  constructor(cluster: Cluster) {
    this.observer = createTracer({
      cluster,
      lc: () => ++this.#lc,
      sink: (file, line) => this.files.set(file, `${this.files.get(file) ?? ""}${line}\n`),
      last: (file) => this.files.get(file)?.split("\n").at(-2),
    });
  }

  /** What was traced so far, by instance: "" is the log. */
  gather(): ReadonlyMap<string, Trace> {
    return gather(this.files);
  }
}

/**
 * Goal: what is held against Paxos.tla is the trace, one instance of Paxos at a time.
 * Method: project.mjs over a trace written by hand, as the README says to run it.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "synod-project-"));
afterAll(() => rmSync(folder, { recursive: true }));

const script = fileURLToPath(new URL("project.mjs", import.meta.url));
const key = "0123456789abcdef".repeat(2);

function project(...args: string[]): string[] {
  const { stdout, stderr, status } = spawnSync(process.execPath, [script, folder, ...args]);
  if (status !== 0) throw new Error(String(stderr));
  return String(stdout).trimEnd().split("\n");
}

function write(file: string, mode: string, quorums: unknown, events: readonly object[]): void {
  const header = { trace: "ptrace/1", mode, acceptors: ["a1", "a2", "a3"], quorums, noop: "noop" };
  const lines = events.map((event, seq) => ({ inc: 1, seq, ...event }));
  writeFileSync(
    join(folder, file),
    [header, ...lines].map((l) => `${JSON.stringify(l)}\n`).join(""),
  );
}

const low = [1, "p1.00"];
const high = [1, "p2.00"];

describe("the projection of a trace", () => {
  it("is one slot, in order, with ranks for ballots, and without what is no step", () => {
    write("acceptor-a1.jsonl", "multi", "majority", [
      { lc: 1, n: "a1", ev: "recover", promised: null, votes: [] },
      { lc: 4, n: "a1", ev: "p1b", bal: high, from: 1, votes: [{ slot: 1, bal: low, val: "v" }] },
      { lc: 6, n: "a1", ev: "p2b", bal: high, slot: 1, val: "v" },
      { lc: 7, n: "a1", ev: "p2b", bal: high, slot: 1, val: "v", dup: true },
      { lc: 8, n: "a1", ev: "note", what: "anything" },
    ]);
    write("proposer-p2.jsonl", "multi", "majority", [
      { lc: 3, n: "proposer-p2", ev: "p1a", bal: high, from: 1 },
      { lc: 5, n: "proposer-p2", ev: "p2a", bal: high, slot: 1, val: "v" },
    ]);
    write(`learner-l1.${key}.jsonl`, "synod", "majority", [
      { lc: 2, n: "learner-l1", ev: "learn", val: "w" },
    ]);
    expect(project()).toEqual(["1", key]);
    const head = '{"acceptors":["a1","a2","a3"],"values":["v"],"ballots":2,';
    const none = '"mbal":-1,"mval":"","told":true,"syncedBy":[]}';
    expect(project("1")).toEqual([
      `${head}"quorums":[["a1","a2"],["a1","a3"],["a2","a3"]]}`,
      `{"ev":"recover","a":"a1","bal":-1,"val":"",${none}`,
      `{"ev":"p1a","a":"proposer-p2","bal":1,"val":"",${none}`,
      '{"ev":"p1b","a":"a1","bal":1,"val":"","mbal":0,"mval":"v","told":true,"syncedBy":[]}',
      `{"ev":"p2a","a":"proposer-p2","bal":1,"val":"v",${none}`,
      `{"ev":"p2b","a":"a1","bal":1,"val":"v",${none}`,
    ]);
    // In a slot below what it asked for, a promise says nothing of a vote.
    expect(project("0")[3]).toMatch(/^\{"ev":"p1b".*"mbal":-1,"mval":"","told":false/);
    expect(project(key).slice(1)).toEqual([
      `{"ev":"learn","a":"learner-l1","bal":-1,"val":"w",${none}`,
    ]);
  });

  it("refuses quorums that Paxos.tla has no words for", () => {
    write("acceptor-a1.jsonl", "multi", { q1: 3, q2: 1 }, []);
    write("proposer-p2.jsonl", "multi", { q1: 3, q2: 1 }, []);
    expect(() => project("1")).toThrow("one quorum system for both phases");
  });
});

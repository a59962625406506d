/**
 * Goal: `test/PAPER.md` says which rule, chart state and test each sentence of the paper has, and
 * is true.
 * Method: written from the sources and compared word for word; `npm run paper` records it anew.
 * Each part of it is then changed by hand, in memory, and the table must change with it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readPaper, writePaper } from "./paper.js";
import { root } from "./sources.js";

const file = join(root, "test/PAPER.md");
const isRecording = process.env["UPDATE_GOLDEN"] === "1";
const rows = readPaper();

/** What is read when a file says something else in one place. */
function readWith(path: string, old: string, other: string) {
  const text = readFileSync(join(root, path), "utf8");
  expect(text).toContain(old);
  return readPaper(new Map([[path, text.replaceAll(old, other)]]));
}

const rowOf = (sentence: string, among = rows) =>
  among.find((row) => row.sentence.startsWith(sentence));

describe("PAPER.md", () => {
  it("is what tests, rules and charts say", () => {
    const written = writePaper(rows);
    if (isRecording) writeFileSync(file, written);
    else expect(readFileSync(file, "utf8"), "npm run paper").toBe(written);
  });

  it("has a rule for each sentence, each sentence once", () => {
    for (const { rules, sentence } of rows) expect([1, 2, 3], sentence).toContain(rules.length);
    expect(new Set(rows.map(({ sentence }) => sentence)).size).toBe(rows.length);
    expect(rows.length).toBeGreaterThanOrEqual(60);
  });

  it("follows the name of a test", () => {
    const path = "test/paxos/paper.test.ts";
    const other = readWith(path, "P1. An acceptor must accept", "P1. An acceptor must like");
    expect(rowOf("P1. An acceptor must like", other)?.rules).toEqual(rowOf("P1. ")?.rules);
    expect(writePaper(other)).not.toBe(writePaper(rows));
  });

  it("follows what a test calls", () => {
    const path = "test/paxos/paper-algorithm.test.ts";
    const other = readWith(path, "alreadyChosen(attempt, run.cluster)", "null");
    expect(rowOf("impossible to know")?.rules.map(({ name }) => name)).toEqual(["alreadyChosen"]);
    expect(rowOf("impossible to know", other)?.rules).not.toEqual(rowOf("impossible")?.rules);
  });

  it("follows what a chart's action calls", () => {
    const phase1b = "Phase 1 (b)";
    expect(rowOf(phase1b)?.states).toEqual(["acceptor.serving"]);
    const path = "actors/acceptor/machine.ts";
    expect(rowOf(phase1b, readWith(path, "promiseKey(context", "(context"))?.states).toEqual([]);
  });

  it("refuses a choice that its test does not come to, or that no test is named by", () => {
    const bench = "test/support/paper.ts";
    expect(() => readWith(bench, "promiseKey(this.state", "(this.state")).toThrow(
      /does not come to promiseKey/,
    );
    const path = "test/paxos/paper.test.ts";
    expect(() => readWith(path, "Only a single value is", "One value is")).toThrow(
      /no test has: Only a single value is chosen/,
    );
    expect(() => readWith(path, '"Only a single value is chosen"', "String(0)")).toThrow(/plain/);
  });
});

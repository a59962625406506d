/**
 * Goal: counters that mean a person's mistake are told in words as long as they are counted.
 * Method: a clock moved by hand; the words are looked at, the other counters stay silent.
 */
import { describe, expect, it } from "vitest";
import { Mistakes } from "../../src/kernel/mistakes.js";

describe("a person's mistake", () => {
  const words: [string, RegExp][] = [
    ["wrong_cluster", /give every process the same cluster.yaml/],
    ["wrong_epoch", /give every process the same cluster.yaml/],
    ["wrong_version", /one version everywhere/],
    ["foreign_reply", /keep those subjects out of the stream/],
    ["server_error", /mend what it names/],
  ];

  it.each(words)("%s is told with what to do, since when and how often", (reason, advice) => {
    const mistakes = new Mistakes();
    mistakes.note(reason, 1, () => 1000);
    mistakes.note(reason, 3, () => 2000);
    const [wait, ...others] = mistakes.waits(2500);
    expect(others).toEqual([]);
    expect(wait).toMatchObject({ for: "an operator", sinceMs: 1500 });
    expect(wait?.reason).toMatch(advice);
    expect(wait?.reason).toContain(`(${reason}, 4 times)`);
  });

  it("that was not counted for a minute is over; counted again, it begins again", () => {
    const mistakes = new Mistakes();
    mistakes.note("wrong_epoch", 1, () => 0);
    expect(mistakes.waits(60_000)).toHaveLength(1);
    expect(mistakes.waits(60_001)).toEqual([]);
    mistakes.note("wrong_epoch", 1, () => 70_000);
    expect(mistakes.waits(70_001)[0]).toMatchObject({ sinceMs: 1 });
    expect(mistakes.waits(70_001)[0]?.reason).toContain("1 times");
  });

  it("is not seen in other counters", () => {
    const mistakes = new Mistakes();
    for (const reason of ["unheard", "earlier_life", "toString"]) mistakes.note(reason, 1, () => 0);
    expect(mistakes.waits(0)).toEqual([]);
  });
});

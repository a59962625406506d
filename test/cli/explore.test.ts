/**
 * Goal: a person and a program can read what `synod explore` found.
 * Method: the command, run here.
 */
import { describe, expect, it } from "vitest";
import { BROKEN } from "../../src/sim/broken/index.js";
import { WORLDS } from "../../src/sim/explore/worlds.js";
import { runHere } from "./here.js";

const run = (...args: readonly string[]) => runHere(["explore", ...args]);

describe("synod explore", () => {
  it("lists worlds and broken things, a name first on each line", async () => {
    const names = async (...args: readonly string[]) => {
      const { code, stdout } = await run(...args);
      expect(code).toBe(0);
      return stdout
        .trim()
        .split("\n")
        .map((line) => line.split(" ")[0]);
    };
    expect(await names("--world", "list")).toEqual(WORLDS.map(({ name }) => name));
    const small = BROKEN.filter(({ world }) => world !== undefined);
    expect(await names("--broken", "list")).toEqual(small.map(({ name }) => name));
    expect(await names("--property", "list")).toContain("agreement");
  });

  it("exhausts a world, and says what it saw", async () => {
    const { code, stdout, stderr } = await run("--world", "decide-2");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^world +decide-2: two proposers/);
    expect(stdout).toMatch(
      /\nstates +28,418 \(the whole space\)\ndepth +23\ntransitions +204,758\n/,
    );
    expect(stdout).toMatch(/\ntime +[\d.]+ m?s, [\d,]+ states\/s/);
    expect(stdout).toMatch(/\n10 steps +chosen-twice: /);
    expect(stdout).toMatch(/\nno violation\n$/);
  }, 120_000);

  it("fails when something that must be seen was not", async () => {
    const { code, stdout } = await run("--states-max", "50");
    expect(code).toBe(1);
    expect(stdout).toMatch(/\nstates +\d+ \(not all there are\)\n/);
    expect(stdout).toMatch(/\nnever seen: value-chosen, /);
  });

  it("fails with the shortest way to a violation", async () => {
    const { code, stdout } = await run("--broken", "lower-ballot-accepted");
    expect(code).toBe(1);
    expect(stdout).toContain("violated     diskNeverFalls: promise: a3 fell from ballot 1.p2");
    expect(stdout).toMatch(/\nThe shortest way there has 6 steps:\n {2}1\. a1 hears key-prepare/);
  });

  it("says it all in one line of JSON", async () => {
    const { code, stdout } = await run("--broken", "quorums-that-miss", "--json");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      world: "decide-2",
      broken: "quorums-that-miss",
      states: 1176,
      exhausted: false,
      violation: { property: "P2b", steps: expect.arrayContaining([expect.any(String)]) },
    });
  });
});

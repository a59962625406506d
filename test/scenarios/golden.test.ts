/**
 * Goal: what a cluster does in the situations that the paper speaks of can be read, and stays so.
 * Method: scripts of commands, each followed by what everyone saw; played on the simulator's world
 * under its monitor, and compared word for word. `npm run scenarios` records them anew.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { play } from "../support/commands.js";
import { parseScript, writeScript } from "../support/script.js";

const here = new URL(".", import.meta.url);
const scripts = readdirSync(here).filter((name) => name.endsWith(".txt"));
const isRecording = process.env["UPDATE_GOLDEN"] === "1";

describe("scenario", () => {
  it.each(scripts)("%s", (name) => {
    const file = new URL(name, here);
    const text = readFileSync(file, "utf8");
    const { seen, stage } = play(parseScript(text));
    expect(stage.violation).toBeNull();
    expect(stage.lies).toEqual([]);
    const written = writeScript(seen);
    if (isRecording) writeFileSync(file, written);
    else expect(written).toBe(text);
  });

  it("there are at least twenty", () => {
    expect(scripts.length).toBeGreaterThanOrEqual(20);
  });

  it("a script that says another thing than what happens is found out", () => {
    const text = readFileSync(new URL("duel-one-wins.txt", here), "utf8");
    const script = parseScript(text.replace("c2 decides prize = bob", "c2 decides prize = eve"));
    const written = writeScript(play(script).seen);
    expect(written).toContain("is told: ⟨prize = eve⟩");
    expect(written).not.toBe(text);
  });
});

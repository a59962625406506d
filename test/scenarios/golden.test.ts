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
});

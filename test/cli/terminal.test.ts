/**
 * Goal: colours are for people: on a terminal, unless they say that they want none.
 * Method: streams that are a terminal or not, while standard output is none.
 */
import { afterEach, expect, it, vi } from "vitest";
import { styled } from "../../src/cli/terminal.js";

const stream = (isTTY: boolean) => ({ isTTY }) as NodeJS.WriteStream;
afterEach(() => vi.unstubAllEnvs());

it.each([
  ["a terminal", true, "", "xterm", true],
  ["a pipe", false, "", "xterm", false],
  ["a terminal with NO_COLOR", true, "1", "xterm", false],
  ["a dumb terminal", true, "", "dumb", false],
])("styles for %s or not", (_, isTTY, noColour, term, isStyled) => {
  vi.stubEnv("NO_COLOR", noColour);
  vi.stubEnv("TERM", term);
  const bold = "\u001b[1mup\u001b[22m";
  expect(styled(stream(isTTY), "bold", "up")).toBe(isStyled ? bold : "up");
});

/**
 * Goal: what a learner says that it keeps is what its process holds for it, so that
 * `historyBytesMax` bounds the memory; and each value is held once.
 * Method: a learner that learns many small commands, a few and one a slot; the heap and the buffers
 * of this process, measured after a full collection.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { type LearnerContext, learnerStatus } from "../../actors/learner/context.js";
import { encodeCommand } from "../../src/paxos/command.js";
import { encodeBatch } from "../../src/paxos/value.js";
import { type Bench, testCluster, value } from "../support/steps.js";
import { accept, beacon, chosen, learner, opening, SESSION } from "./learner-steps.js";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** The least of some looks: buffers are given back, and code is thrown away, a while later. */
async function heldBytes(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let look = 0; look < 8; look++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 25));
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    least = Math.min(least, heapUsed + arrayBuffers);
  }
  return least;
}

/** A command with a body of 16 bytes, of a client that has all but the last results. */
const command = (number: number) =>
  encodeCommand({
    ...{ kind: "request", session: SESSION, openedIn: 0, number },
    answeredBelow: Math.max(1, number - 100),
    ...{ gateway: "g1", id: "", type: "string", body: value("sixteen bytes ok") },
  });

/** Has a learner learn so many commands. */
function learn(bench: Bench, commands: number, perSlot: number): void {
  bench.take(beacon(0));
  let number = 0;
  for (let slot = 0; number < commands; slot++) {
    const batch = Array.from({ length: perSlot }, () => command(++number));
    if (slot === 0) batch.unshift(opening());
    // A message's bytes lie in a buffer of its own, as the transport gives them.
    bench.take(accept(slot, 1, { values: [encodeBatch(batch)] }));
    bench.take(chosen(slot, slot + 1));
  }
}

const kept = ({ snapshot }: Bench) => {
  const { bounds, firstRetained } = learnerStatus(snapshot.context as LearnerContext);
  const used = bounds?.find(({ name }) => name === "historyBytesMax")?.used;
  return { used: used as number, firstRetained: firstRetained as number };
};

it.each([
  [64, 110],
  [1, 140],
])(
  "holds what it says, with %i commands a slot: at most %i bytes a command",
  async (perSlot, most) => {
    const commands = 30_000;
    learn(learner(), 1000, perSlot); // what is compiled and cached once
    const bench = learner();
    const before = await heldBytes();
    learn(bench, commands, perSlot);
    const grown = (await heldBytes()) - before;
    const { used, firstRetained } = kept(bench);
    expect(firstRetained).toBe(0);
    const besideBytes = 1024 * 1024; // a session, the code of the test
    expect(grown, `it says ${used}`).toBeLessThan(1.05 * used + besideBytes);
    expect(used / commands).toBeLessThanOrEqual(most);
  },
);

it("never holds more than the bound, index and buffers included", () => {
  const historyBytesMax = 2 * 1024 * 1024;
  const bench = learner({ cluster: testCluster({ historyBytesMax }) });
  learn(bench, 40_000, 8);
  const { used, firstRetained } = kept(bench);
  expect(firstRetained).toBeGreaterThan(0);
  expect(used).toBeLessThanOrEqual(historyBytesMax);
  expect(used).toBeGreaterThan(0.9 * historyBytesMax);
});

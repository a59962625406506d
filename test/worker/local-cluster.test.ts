/**
 * Goal: `up` knows when the roles that are gone for good leave no quorum, or nobody to lead.
 * Method: drawn clusters, and what a supervisor could know of their processes.
 */
import { expect, it } from "vitest";
import { createRandom } from "../../src/adapters/node/clock.js";
import type { QuorumSystem } from "../../src/paxos/quorum.js";
import { drawCluster } from "../../src/worker/descriptor.js";
import { EXIT } from "../../src/worker/exit.js";
import { findLoss } from "../../src/worker/local-cluster.js";
import type { Supervised } from "../../src/worker/supervisor.js";

function process(name: string, more: Partial<Supervised> = {}): Supervised {
  const nothing = { pid: 1, restarts: 0, why: undefined, refusedWith: undefined, halted: [] };
  return { name, state: "ready", ...nothing, ...more };
}

function refused(name: string, refusedWith: number = EXIT.refused): Supervised {
  return process(name, { state: "refused", why: `${name} is wiped`, refusedWith });
}

function lossOf(quorums: QuorumSystem, ...processes: readonly Supervised[]) {
  const random = createRandom();
  const drawn = drawCluster({ name: "demo", acceptors: 4, proposers: 2, random });
  return findLoss({ cluster: { ...drawn, quorums }, placement: "separated" }, processes);
}

const majority: QuorumSystem = { kind: "majority" };
const [a1, a2] = [refused("acceptor a1"), refused("acceptor a2")];

it("asks both phases of any quorum system", () => {
  expect(lossOf(majority, a1)).toBeNull();
  expect(lossOf(majority, a1, a2)).toEqual({
    message: "2 of 4 acceptors run: acceptor a1 is wiped",
    exitCode: EXIT.refused,
  });
  expect(lossOf({ kind: "flexible", phase1: 4, phase2: 1 }, a1)).not.toBeNull();
  expect(lossOf({ kind: "flexible", phase1: 2, phase2: 3 }, a1, a2)).not.toBeNull();
  const rows = [
    ["a1", "a2"],
    ["a3", "a4"],
  ];
  expect(lossOf({ kind: "grid", rows }, a1)).toBeNull();
  expect(lossOf({ kind: "grid", rows }, a1, a2)).not.toBeNull();
  expect(lossOf({ kind: "grid", rows }, a1, refused("acceptor a3"))).not.toBeNull();
});

it("needs somebody to lead, and counts a process that died and comes back", () => {
  const p1 = refused("proposer p1 + elector e1");
  const p2 = refused("proposer p2 + elector e2");
  expect(
    lossOf(majority, p1, process("proposer p2 + elector e2", { state: "waiting" })),
  ).toBeNull();
  expect(lossOf(majority, p1, p2)?.message).toMatch(/^0 of 2 proposers run: proposer p1/);
});

it("counts halted roles, and ends with the code of a full disk only if that is all", () => {
  const halted = process("acceptor a1", {
    halted: [{ role: "acceptor", id: "a1", why: "fenced" }],
  });
  expect(lossOf(majority, halted, a2)?.message).toBe("2 of 4 acceptors run: fenced");
  const full = (name: string) => refused(name, EXIT.noRoom);
  expect(lossOf(majority, full("acceptor a1"), a2)?.exitCode).toBe(EXIT.refused);
  expect(lossOf(majority, full("acceptor a1"), full("acceptor a2"))?.exitCode).toBe(EXIT.noRoom);
});

/**
 * Goal: each placement runs every listed member once, and every role somewhere.
 * Method: place drawn clusters, count.
 */
import { describe, expect, it } from "vitest";
import { createSeededRandom } from "../../src/adapters/memory/random.js";
import { drawCluster } from "../../src/worker/descriptor.js";
import { PLACEMENTS, placeRoles, proposersFor } from "../../src/worker/placement.js";
import { isRunnable, RUNNABLE_ROLES, readRoles } from "../../src/worker/roles.js";

const random = createSeededRandom(3);
const draw = (acceptors: number, proposers: number) =>
  drawCluster({ name: "demo", acceptors, proposers, random });

describe("a placement", () => {
  it.each(PLACEMENTS)(
    "%s runs each member once, whatever the cluster was drawn for",
    (placement) => {
      for (const [acceptors, proposers] of [
        [3, 2],
        [3, 3],
        [1, 4],
        [5, 2],
      ] as const) {
        const cluster = draw(acceptors, proposers);
        const placed = placeRoles(cluster, placement, isRunnable);
        const words = placed.flatMap(({ roles }) => roles);
        const listed = [...cluster.acceptors.map(({ id }) => `acceptor:${id}`)];
        listed.push(...cluster.proposers.map(({ id }) => `proposer:${id}`));
        for (const member of listed)
          expect(words.filter((word) => word === member)).toHaveLength(1);
        expect(new Set(words).size).toBe(words.length);
        for (const role of RUNNABLE_ROLES) {
          expect(words.some((word) => word.startsWith(`${role}:`))).toBe(true);
        }
        for (const { roles } of placed) readRoles(roles, undefined, cluster, random);
      }
    },
  );

  it("is what the documents say", () => {
    const cluster = draw(3, proposersFor("separated", 3));
    expect(placeRoles(cluster, "separated", () => true).map(({ name }) => name)).toEqual([
      ...["acceptor a1", "acceptor a2", "acceptor a3"],
      ...["proposer p1 + elector e1", "proposer p2 + elector e2"],
      ...["learner l1", "learner l2", "gateway g1 + learner l3 + synod-proposer s1"],
    ]);
    const equal = placeRoles(draw(3, proposersFor("colocated", 3)), "colocated", () => true);
    expect(equal.map(({ name }) => name)).toEqual(["node 1", "node 2", "node 3"]);
    expect(equal[1]?.roles.join(" ")).toBe(
      "acceptor:a2 proposer:p2 elector:e2 learner:l2 gateway:g2 synod-proposer:s2",
    );
    expect(placeRoles(cluster, "single", () => true)).toHaveLength(1);
  });

  it("leaves out roles that there are not", () => {
    const only = placeRoles(draw(3, 2), "separated", (role) => role === "acceptor");
    expect(only.map(({ name }) => name)).toEqual(["acceptor a1", "acceptor a2", "acceptor a3"]);
  });
});

describe("the roles of a worker", () => {
  const cluster = draw(3, 1);
  const read = (words: string[], id?: string) =>
    readRoles(words, id, cluster, random).map(
      ({ definition, id: own }) => `${definition.name} ${own}`,
    );

  it("take their own id, the shared one, the only one there is, or a drawn one", () => {
    expect(read(["acceptor:a1", "acceptor:a2"])).toEqual(["acceptor a1", "acceptor a2"]);
    expect(read(["acceptor", "learner"], "a3")).toEqual(["acceptor a3", "learner a3"]);
    expect(read(["proposer"])).toEqual(["proposer p1"]);
    expect(read(["learner"])[0]).toMatch(/^learner l-[0-9a-f]{8}$/);
  });

  it("are refused with what to do", () => {
    expect(() => read([])).toThrow("name at least one role: acceptor");
    expect(() => read(["aceptor"])).toThrow('there is no role "aceptor": did you mean acceptor?');
    expect(() => read(["acceptor"])).toThrow("which acceptor? Name one of a1, a2, a3: acceptor:a1");
    expect(() => read(["acceptor:a9"])).toThrow("lists no acceptor a9: it lists a1, a2, a3");
    expect(() => read(["learner:L 1"])).toThrow("is no id");
    expect(() => read(["learner:l", "learner:l"])).toThrow("learner l is named twice");
    expect(() => read(["session"])).toThrow('there is no role "session"');
  });
});

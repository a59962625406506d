/**
 * Goal: the hash of a configuration changes with every field that safety rests on, and with no
 * other; the identity of the cluster is none of them.
 * Method: one change a field, tables for both kinds.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  acceptorIds,
  type Cluster,
  configurationHash,
  configurationName,
  mayJudge,
  storeIdOf,
} from "../../src/paxos/cluster.js";
import type { Limits } from "../../src/paxos/limits.js";
import { makeCluster } from "../support/synod-world.js";

const cluster: Cluster = {
  ...makeCluster(3),
  proposers: [
    { id: "p1", storeId: "1".repeat(32) },
    { id: "p2", storeId: "2".repeat(32) },
  ],
};
const [first, ...others] = cluster.acceptors as [Cluster["acceptors"][0]];
const [leader, standby] = cluster.proposers as [Cluster["proposers"][0], Cluster["proposers"][0]];

/** [what, the change]: another configuration. */
const safety: readonly (readonly [string, Partial<Cluster>])[] = [
  ["epoch", { epoch: 2 }],
  ["an acceptor less", { acceptors: others }],
  ["an acceptor's id", { acceptors: [{ ...first, id: "b" }, ...others] }],
  ["an acceptor's store", { acceptors: [{ ...first, storeId: "e".repeat(32) }, ...others] }],
  ["a proposer less", { proposers: [leader] }],
  ["a proposer's id", { proposers: [{ ...leader, id: "p3" }, standby] }],
  ["a proposer's store", { proposers: [{ ...leader, storeId: "e".repeat(32) }, standby] }],
  ["flexible quorums", { quorums: { kind: "flexible", phase1: 2, phase2: 2 } }],
  ["other flexible quorums", { quorums: { kind: "flexible", phase1: 3, phase2: 2 } }],
  ["flexible the other way", { quorums: { kind: "flexible", phase1: 2, phase2: 3 } }],
  ["a grid", { quorums: { kind: "grid", rows: [["a0", "a1", "a2"]] } }],
  ["another grid", { quorums: { kind: "grid", rows: [["a0", "a1"], ["a2"]] } }],
  ["window", { limits: { ...cluster.limits, windowMax: cluster.limits.windowMax + 1 } }],
];

describe("the hash of a configuration", () => {
  it("is 32 hexadecimal digits and the same for equal descriptors", () => {
    expect(configurationHash(cluster)).toMatch(/^[0-9a-f]{32}$/);
    expect(configurationHash(structuredClone(cluster))).toBe(configurationHash(cluster));
  });

  it("changes with each safety field, every time to another hash", () => {
    const hashes = safety.map(([, change]) => configurationHash({ ...cluster, ...change }));
    expect(new Set([configurationHash(cluster), ...hashes]).size).toBe(safety.length + 1);
  });

  it("has a safety field for every field but `learn`, and one limit", () => {
    const covered = new Set(safety.flatMap(([, change]) => Object.keys(change)));
    const rest = Object.keys(cluster).filter((field) => !covered.has(field));
    expect(new Set(rest)).toEqual(new Set(["name", "clusterId", "learn"]));
  });

  it("is no part of the identity: a configuration of another cluster has the same one", () => {
    const other = { ...cluster, name: "other", clusterId: "f".repeat(32) };
    expect(configurationHash(other)).toBe(configurationHash(cluster));
  });

  it.each(safety)("with %s, messages of one are not judged under the other", (_, change) => {
    const [here, there] = [cluster, { ...cluster, ...change }].map(configurationName);
    if (here === undefined || there === undefined) throw new Error("two configurations");
    expect(mayJudge(here, there)).toBe(false);
    expect(mayJudge(there, here)).toBe(false);
    expect(mayJudge(here, { ...here })).toBe(true);
  });

  it("does not change with the way of learning or any limit but the window", () => {
    const learning: Cluster = { ...cluster, learn: { kind: "all" } };
    expect(configurationHash(learning)).toBe(configurationHash(cluster));
    const names = Object.keys(cluster.limits) as (keyof Limits)[];
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.integer({ min: 1 }), (name, by) => {
        const limits = { ...cluster.limits, [name]: cluster.limits[name] + by };
        const same = configurationHash({ ...cluster, limits }) === configurationHash(cluster);
        expect([name, same]).toEqual([name, name !== "windowMax"]);
      }),
    );
  });
});

describe("the cluster", () => {
  it("knows which store speaks for whom, and for nobody else", () => {
    expect(acceptorIds(cluster)).toEqual(["a0", "a1", "a2"]);
    expect(storeIdOf(cluster, "acceptor", "a0")).toBe(first.storeId);
    expect(storeIdOf(cluster, "proposer", "p2")).toBe(standby.storeId);
    expect(storeIdOf(cluster, "proposer", "a0")).toBeUndefined();
    expect(storeIdOf(cluster, "acceptor", "p1")).toBeUndefined();
    expect(storeIdOf(cluster, "learner", "a0")).toBeUndefined();
  });
});

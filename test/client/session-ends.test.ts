/**
 * Goal: a client that closes takes its session out of the log, behind everything that it asked, so
 * that clients which come and go evict nobody.
 * Method: the real client, gateways, log and table in the simulator's world; then the rule alone.
 */
import { describe, expect, it } from "vitest";
import type { LearnerContext } from "../../actors/learner/context.js";
import { DEFAULT_LIMITS } from "../../src/paxos/limits.js";
import { SessionTable } from "../../src/paxos/log/session.js";
import { SESSIONS_MAX, stageSmallTable } from "./small-table.js";

/** A cluster with a small table of sessions, and a bench for its clients. */
function stage() {
  const { world, bench, connect } = stageSmallTable(17);
  const sessions = () => world.context<LearnerContext>("learner", "l1").data.log.sessions.size;
  return { world, bench, connect, sessions };
}

describe("a client that closes", () => {
  it("leaves no session behind: many of them do not evict one that is idle", async () => {
    const { bench, connect, sessions } = stage();
    const idle = await connect();
    await bench.run(idle.propose("first"));
    const before = sessions();
    for (let n = 0; n < 3 * SESSIONS_MAX; n++) {
      const client = await connect();
      await bench.run(client.propose(`from client ${n}`));
      await bench.run(client.close());
    }
    await bench.wait(1000);
    expect(sessions()).toBe(before);
    expect(await bench.run(idle.propose("second"))).toMatchObject({
      position: 2 + 3 * SESSIONS_MAX,
    });
  });

  it("ends it behind what is still on its way", async () => {
    const { world, bench, connect, sessions } = stage();
    const client = await connect();
    await bench.run(client.propose("opens the session"));
    const before = sessions();
    const calls = Array.from({ length: 20 }, (_, n) => client.propose(`on its way ${n}`));
    const ends = Promise.allSettled(calls);
    await bench.settle();
    await bench.run(client.close());
    await bench.run(ends);
    await bench.wait(2000);
    expect(world.log("l1").length).toBe(21);
    expect(sessions()).toBe(before - 1);
  });

  it("that never opened a session sends nothing", async () => {
    const { bench, connect, sessions } = stage();
    const before = sessions();
    await bench.run((await connect()).close());
    await bench.wait(500);
    expect(sessions()).toBe(before);
  });
});

describe("the end of a session", () => {
  const id = "5e".repeat(16);
  const end = (openedIn: number, number: number) =>
    ({ kind: "end", session: id, openedIn, number, gateway: "g1" }) as const;

  it("waits for the session's requests, and takes effect once", () => {
    const table = new SessionTable(DEFAULT_LIMITS);
    table.open(id, 7);
    expect(table.end(end(7, 2))).toEqual({ kind: "early", expected: 1 });
    expect(table.end(end(7, 1))).toEqual({ kind: "ended" });
    expect(table.size).toBe(0);
    expect(table.end(end(7, 1))).toEqual({ kind: "expired", last: null });
  });

  it("is of one opening: a late copy ends no later opening of the id", () => {
    const table = new SessionTable(DEFAULT_LIMITS);
    table.open(id, 9);
    expect(table.end(end(7, 1))).toEqual({ kind: "expired", last: null });
    expect(table.size).toBe(1);
  });
});

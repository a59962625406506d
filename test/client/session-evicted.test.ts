/**
 * Goal: a client whose session was evicted goes on in another, unseen, as far as the log shows that
 * its requests did not happen; of the others it says that they may have.
 * Method: the real client, gateways, log and table in the simulator's world, with a small table.
 */
import { describe, expect, it } from "vitest";
import type { LearnerContext } from "../../actors/learner/context.js";
import { SESSIONS_MAX, stageSmallTable } from "./small-table.js";

function stage() {
  const { world, bench, connect } = stageSmallTable(23);
  /** Clients that stay open: each evicts the session that was unused longest. */
  const crowd = async (count: number) => {
    for (let n = 0; n < count; n++) {
      const client = await connect();
      await bench.run(client.propose(`of the crowd ${n}`));
    }
  };
  const { data } = world.context<LearnerContext>("learner", "l1");
  const values = () =>
    world.log("l1").filter((value) => typeof value === "string" && !value.startsWith("of the"));
  return { world, bench, connect, crowd, values, table: () => data.log.sessions };
}

describe("a client whose session was evicted", () => {
  it("and that waited for nothing goes on in another session, unseen", async () => {
    const { bench, connect, crowd } = stage();
    const idle = await connect();
    await bench.run(idle.propose("first"));
    await crowd(SESSIONS_MAX + 2);
    expect(await bench.run(idle.propose("second"))).toMatchObject({ position: SESSIONS_MAX + 4 });
  });

  it("keeps the order of its calls, those made meanwhile among them", async () => {
    const { bench, connect, crowd, values } = stage();
    const idle = await connect();
    await bench.run(idle.propose("first"));
    await crowd(SESSIONS_MAX + 2);
    const calls = [];
    for (let n = 0; n < 40; n++) {
      calls.push(idle.propose(`value ${n}`));
      if (n % 3 === 0) await bench.wait(1);
    }
    await bench.run(Promise.all(calls));
    expect(values()).toEqual(["first", ...Array.from({ length: 40 }, (_, n) => `value ${n}`)]);
  });
});

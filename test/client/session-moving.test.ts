/**
 * Goal: a session is served by the gateway of the leader's process, where there is one, and its
 * requests keep their order when it moves.
 * Method: as in session-machine.test.ts; gateways say where the leader's gateway is.
 */
import { describe, expect, it } from "vitest";
import { send } from "../../src/kernel/effect.js";
import { type Bench, heard, START_MS } from "../support/steps.js";
import {
  done,
  g1,
  g2,
  OPENED_IN,
  opened,
  RETRY_MS,
  refused,
  requests,
  results,
  SESSION,
  said,
  serving,
  settle,
  starting,
  submission,
  submit,
  toG1,
} from "./session-steps.js";

const toG2 = (...asked: Parameters<typeof requests>) => send("gateway", "g2", requests(...asked));
const openedBy = (bench: Bench, leaderGateway: string | null, gateway = g1) =>
  bench.take(heard(opened(SESSION, OPENED_IN, leaderGateway), gateway));

describe("a session", () => {
  it("that is opened elsewhere goes to the leader's gateway at once", () => {
    const bench = starting();
    bench.take(submit(submission(1)));
    openedBy(bench, "g2");
    expect(said(bench)).toEqual([toG2(1, [1])]);
  });

  it("stays where it is if nobody knows a gateway of the leader's process", () => {
    const bench = serving(1);
    bench.take(heard(results([1], SESSION, null), g1));
    bench.take(submit(submission(2)));
    expect(said(bench)).toEqual([toG1(requests(2, [2], 2))]);
  });

  it("moves when nothing is on its way, and holds new requests until then", () => {
    const bench = serving(1, 2);
    const first = bench.take(heard(results([1], SESSION, "g2"), g1));
    expect(first).toContainEqual(settle(done(1)));
    expect(bench.take(submit(submission(3)))).toEqual([]);
    bench.take(heard(results([2], SESSION, "g2"), g1));
    expect(said(bench)).toEqual([settle(done(2)), toG2(3, [3], 3)]);
    bench.take(heard(results([3], SESSION, "g2"), g2));
    expect(said(bench)).toEqual([settle(done(3))]);
    expect(bench.state).toBe("open.idle");
  });

  it("takes the word of the gateway that serves it alone", () => {
    const bench = serving(1);
    bench.take(heard(results([1], SESSION, "g2"), g2));
    bench.take(submit(submission(2)));
    expect(said(bench)).toEqual([toG1(requests(2, [2], 2))]);
  });

  it("keeps away for a while from a gateway that it left, whoever names it", () => {
    const bench = serving(1);
    bench.take(heard(refused("stopped"), g1));
    openedBy(bench, "g1", g2);
    expect(said(bench)).toEqual([toG2(1, [1])]);
    bench.take(heard(results([1], SESSION, "g1"), g2));
    bench.take(submit(submission(2)));
    expect(said(bench)).toEqual([toG2(2, [2], 2)]);
    bench.take(heard(results([2], SESSION, "g1"), g2, START_MS + 41 * RETRY_MS));
    const later = { ...submit(submission(3)), nowMs: START_MS + 41 * RETRY_MS };
    bench.take(later);
    expect(said(bench)).toEqual([toG1(requests(3, [3], 3))]);
  });
});

/**
 * Goal: a gateway that stops takes nothing new and still gets the outcomes of what it holds; it is
 * busy until then.
 * Method: as in gateway.test.ts.
 */
import { describe, expect, it } from "vitest";
import { roles } from "../../actors/index.js";
import { type Bench, START_MS } from "../support/steps.js";
import {
  asksWho,
  beacon,
  cancelled,
  clients,
  done,
  door,
  follows,
  holding,
  limits,
  OWN,
  open,
  opened,
  outcomes,
  proposes,
  request,
  routing,
  SESSION,
  serving,
  set,
  stop,
  tick,
} from "./gateway-steps.js";

const { beaconMs } = limits;

describe("draining", () => {
  it("is entered from holding when the process stops, and looks for a learner still", () => {
    const bench = holding();
    const look = [cancelled("holding"), asksWho, set("draining")];
    expect(bench.take(stop)).toEqual(look);
    expect(bench.state).toBe("draining");
  });

  it("is entered from routing when the process stops, and follows its learner still", () => {
    const bench = serving();
    bench.take(request([1]));
    const follow = [follows("l1"), set("draining")];
    expect(bench.take(stop)).toEqual([cancelled("routing"), ...follow]);
    expect(bench.take(tick("draining", START_MS + beaconMs))).toEqual([
      cancelled("draining"),
      ...follow,
    ]);
    expect(bench.state).toBe("draining");
  });

  it("still sends to a new leader what was taken before", () => {
    const bench = serving();
    bench.take(request([1]));
    bench.take(stop);
    expect(bench.take(beacon(2, "p2"))).toEqual([proposes("p2", clients(1))]);
    expect(bench.state).toBe("draining");
  });
});

describe("busy", () => {
  const isBusy = ({ snapshot }: Bench) => roles.gateway.busy?.(snapshot);

  it("is not, while only its own session is to be opened", () => {
    expect([isBusy(holding()), isBusy(routing()), isBusy(serving())]).toEqual([
      false,
      false,
      false,
    ]);
  });

  it.each([
    ["a request of a session", request([1]), done(SESSION, 1)],
    ["a session to be opened", open(true, "0e".repeat(16)), opened("0e".repeat(16))],
    ["a public request", door("t1"), done(OWN, 1)],
  ])("is, until %s has its outcome", (_what, asked, outcome) => {
    const bench = serving();
    bench.take(asked);
    bench.take(stop);
    expect(isBusy(bench)).toBe(true);
    bench.take(outcomes([outcome]));
    expect(isBusy(bench)).toBe(false);
  });
});

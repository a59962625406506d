/**
 * Goal: a command finds the end of the log where something else answers first on our subjects.
 * Method: a learner and a stream over the subjects of the cluster, played on the memory bus.
 */
import { expect, it } from "vitest";
import { askTail } from "../../src/cli/tail.js";
import { Asker } from "../../src/client/asker.js";
import { isAnswered } from "../../src/worker/control.js";
import { Bench, chosenText, FakeLearner } from "../client/bench.js";

it("a stream over the subjects of a cluster hides neither its log nor the cluster", async () => {
  const bench = new Bench();
  const stream = bench.bus.connect("a stream over our subjects");
  stream.subscribe("synod.>", ({ reply }) => {
    if (reply !== undefined) stream.publish(reply, new TextEncoder().encode('{"seq":1}'));
  });
  const synod = await bench.open();
  const leader = { role: "proposer", id: "p1", state: "leading", chosenWatermark: 2 };
  bench.answer("status", () => ({ process: "p", roles: [leader] }));
  new FakeLearner(bench, "l1", [chosenText(1), chosenText(2)]);
  const { link: transport, clock } = bench;
  const space = { prefix: "synod", cluster: "test" };
  const asker = new Asker({ transport, clock, count: () => {} });
  expect(await bench.run(askTail({ synod, asker, space, server: "here" }))).toBe(2);
  bench.answer("cluster", () => bench.cluster);
  expect(await bench.run(isAnswered({ transport, clock }, space, 500))).toBe(true);
});

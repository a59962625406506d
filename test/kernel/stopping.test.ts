/**
 * Goal: a process that stops leaves its queue groups before its roles end: another process gets
 * what is sent to the group from then on.
 * Method: two gateways on the memory bus, one of which stops; sessions are opened all the while.
 */
import { expect, it } from "vitest";
import { subjectOf } from "../../src/kernel/bus/subject.js";
import type { Observer } from "../../src/kernel/observer.js";
import { stateName } from "../../src/kernel/role.js";
import { World } from "../../src/sim/world/world.js";
import { sender, testCluster } from "../support/steps.js";

it("a gateway that drains receives no new session: the other one takes each", () => {
  const taken: string[] = [];
  const ignore = () => undefined;
  const observer: Observer = {
    stepped: ({ id }, _, event, { snapshot }) => {
      if (event?.type !== "open-session") return;
      taken.push(stateName(snapshot) === "draining" ? `${id}, which drains` : id);
    },
    ...{ committed: ignore, refused: ignore, leaves: ignore },
  };
  const world = new World({ cluster: testCluster(), seed: 1, observe: () => observer });
  const { host } = world.start("one", [["gateway", "g1"]]);
  world.start("two", [["gateway", "g2"]]);
  const client = world.bus.connect("client");
  const space = { prefix: "synod", cluster: world.cluster.name };
  const subject = subjectOf(space, "gateway", "open-session", "all", "c1");
  let opened = 0;
  const open = (count: number) => {
    for (const end = opened + count; opened < end; opened++) {
      const session = opened.toString(16).padStart(32, "0");
      const message = { type: "open-session" as const, session, fresh: true };
      client.publish(subject, world.codec.encode(sender("session", "c1"), opened, message).slice());
    }
  };
  world.clock.advance(10);
  open(10);
  world.clock.advance(10);
  expect(new Set(taken)).toEqual(new Set(["g1", "g2"]));

  let hasStopped = false;
  host?.stop(1000, () => {
    hasStopped = true;
  });
  const g1 = world.find("gateway", "g1");
  for (let ms = 0; !hasStopped && ms < 1000; ms++) {
    open(1);
    world.clock.advance(1);
  }
  const [snapshot] = [...(g1?.snapshots().values() ?? [])];
  expect([hasStopped, snapshot && stateName(snapshot)]).toEqual([true, "draining"]);

  const before = taken.length;
  open(10);
  world.clock.advance(10);
  expect(new Set(taken.slice(before))).toEqual(new Set(["g2"]));
  expect(new Set(taken)).toEqual(new Set(["g1", "g2"]));
  expect(taken).toHaveLength(opened);
});

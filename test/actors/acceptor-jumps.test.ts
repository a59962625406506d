/**
 * Goal: ballots may jump as far as acceptors were asked to follow, and no forger moves an acceptor
 * faster than by one jump a message.
 * Method: the acceptor's chart, and a forger who sees its memory and sends what moves it furthest.
 */
import { describe, expect, it } from "vitest";
import type { AcceptorContext } from "../../actors/acceptor/context.js";
import { acceptorMachine } from "../../actors/acceptor/machine.js";
import type { Message } from "../../src/paxos/wire/messages.js";
import { Bench, ballot, heard, roleInput, sender, testCluster, vote } from "../support/steps.js";

const JUMP = 10;
const ASKED = 20;

function forging(make: (round: number) => Message) {
  const input = roleInput({ id: "a1", cluster: testCluster({ roundJumpMax: JUMP }) });
  const bench = new Bench(acceptorMachine, input);
  bench.fire("witnessTime");
  const dataOf = () => (bench.snapshot.context as AcceptorContext).data;
  const promised = () => (dataOf().keys.get("k")?.promised ?? dataOf().promised)?.round ?? 0;
  const say = (round: number) => {
    const message = make(round);
    const from = message.type.startsWith("key") ? "synod-proposer" : "proposer";
    bench.take(heard(message, sender(from, "p1")));
  };
  return { promised, say, furthest: () => promised() + JUMP + dataOf().jumpSlack };
}

describe("a forger moves an acceptor by no more than one jump a message", () => {
  it.each<[string, (round: number) => Message]>([
    ["prepare", (round) => ({ type: "prepare", ballot: ballot(round), fromSlot: 0 })],
    [
      "accept",
      (round) => {
        const { digest, value } = vote(ballot(round), "v");
        const of = { firstSlot: 0, digests: [digest], values: [value] };
        return { type: "accept", ballot: ballot(round), ...of, chosenWatermark: 0, chosen: [] };
      },
    ],
    ["key-prepare", (round) => ({ type: "key-prepare", key: "k", ballot: ballot(round) })],
    ["key-accept", (round) => ({ type: "key-accept", key: "k", ...vote(ballot(round), "v") })],
  ])("with %s", (_, make) => {
    const { say, furthest, promised } = forging(make);
    for (let n = 0; n < ASKED; n++) say(Number.MAX_SAFE_INTEGER);
    for (let n = 0; n < ASKED; n++) say(furthest());
    expect(promised()).toBe(2 * ASKED * JUMP);
  });
});

/**
 * Goal: what a long queue costs the client's rules does not grow with what waits in it.
 *
 * Method: values that count how often they are looked at. What the rules do is tested through the
 * chart, in `test/client/session-machine.test.ts`.
 */
import { expect, test } from "vitest";
import {
  addSubmissions,
  ClientState,
  complete,
  type Submission,
  takeRequests,
} from "../../src/paxos/clients/client.js";
import { DEFAULT_LIMITS } from "../../src/paxos/limits.js";
import { ballot } from "../support/steps.js";

/** A submission that calls `looked` whenever somebody reads its value. */
function watched(token: number, looked: () => void): Submission {
  const body = new Uint8Array(10);
  return {
    token,
    id: "",
    valueType: "bytes",
    get body() {
      looked();
      return body;
    },
  };
}

test("looks at none of the values that wait behind the window when a result comes", () => {
  const count = 10_000;
  const state = new ClientState("5e".repeat(16));
  let looks = 0;
  addSubmissions(
    state,
    Array.from({ length: count }, (_, token) => watched(token, () => looks++)),
  );
  const first = takeRequests(state, DEFAULT_LIMITS, 0);
  const sent = first.messages.flatMap(({ requests }) => requests);
  expect(sent.length).toBeGreaterThan(100);
  expect(state.waiting.size).toBe(count - sent.length);

  looks = 0;
  const receipt = { position: 1, slot: 1, ballot: ballot(1), syncedBy: ["a1"] };
  const results = [{ number: 1, ...receipt }];
  const told = { type: "results", session: state.session, results, leaderGateway: null } as const;
  complete(state, told, 1);
  const next = takeRequests(state, DEFAULT_LIMITS, 1);
  expect(next.messages.flatMap(({ requests }) => requests).map(({ number }) => number)).toEqual([
    sent.length + 1,
  ]);
  expect(looks).toBeLessThan(10);
});

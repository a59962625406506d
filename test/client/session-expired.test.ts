/**
 * Goal: a session that the log does not know any more says of each request whether it may have
 * happened: by the last number that the log tells, where it tells one.
 * Method: the machine is stepped as the host does.
 */
import { describe, expect, it } from "vitest";
import { send } from "../../src/kernel/effect.js";
import { heard } from "../support/steps.js";
import {
  expired,
  failed,
  g1,
  g2,
  OPENED_IN,
  opened,
  refused,
  requests,
  SESSION,
  said,
  serving,
  settle,
  starting,
  submission,
  submit,
} from "./session-steps.js";

describe("a session that expired", () => {
  it("the log's last number says what happened, not the copies sent", () => {
    const bench = serving(1, 2, 3);
    bench.take(heard(expired(2), g2));
    expect(said(bench)[0]).toEqual(
      settle(
        failed(1, "session_expired", true),
        failed(2, "session_expired", true),
        failed(3, "session_expired", false),
      ),
    );
  });

  it("a request that named no opening may have happened in another one", () => {
    const bench = starting();
    bench.take(heard(opened(SESSION, null), g1));
    bench.take(submit(submission(1)));
    bench.take(heard(refused("stopped"), g1));
    bench.take(heard(opened(SESSION, OPENED_IN), g2));
    expect(said(bench)).toContainEqual(
      send("gateway", "g2", { ...requests(1, [1]), openedIn: null }),
    );
    bench.take(heard(expired(0), g2));
    expect(said(bench)[0]).toEqual(settle(failed(1, "session_expired", true)));
  });
});

/** What only an elector needs: to ask whether the leader's process is there. */

import { subjectOf } from "../../src/kernel/bus/subject.js";
import type { Effect } from "../../src/kernel/effect.js";
import type { Services, ServiceTools } from "../../src/kernel/role.js";

const PING = "ping";

interface PingRequest {
  readonly proposer: string;
  readonly timeoutMs: number;
}

/** Why a ping was not answered; `no_responders` is the server's own word, at once. */
export interface NoPong {
  readonly type: "no-pong";
  readonly proposer: string;
  readonly reason: "no_responders" | "timeout" | "disconnected" | "denied";
  readonly nowMs: number;
}

/** Asks whether a proposer's process answers. Only a missing answer comes back, as `no-pong`. */
export const ping = (proposer: string, timeoutMs: number): Effect => ({
  kind: "service",
  name: PING,
  request: { proposer, timeoutMs } satisfies PingRequest,
});

/** The services of one elector. */
export function electorServices({ id, space, transport, isHere, answers }: ServiceTools): Services {
  const carryOut = ({ proposer, timeoutMs }: PingRequest) => {
    if (isHere("proposer", proposer)) return;
    const answer = answers();
    const subject = subjectOf(space, "proposer", "ping", proposer, id);
    transport.request(subject, new Uint8Array(0), { timeoutMs }, ({ kind }) => {
      if (kind === "answer") return;
      const noPong: Omit<NoPong, "nowMs"> = { type: "no-pong", proposer, reason: kind };
      answer(noPong);
    });
  };
  return { byName: { [PING]: carryOut } };
}

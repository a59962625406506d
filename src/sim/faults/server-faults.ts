/** Faults of the server in the middle: it is down, or takes other messages than before. */

import type { Fault } from "../plan/plan.js";
import type { Coverage } from "../world/coverage.js";
import type { World } from "../world/world.js";

/** Does a fault. @returns undoes it */
export function changeServer(
  { bus, payloadBytesMax }: World,
  coverage: Coverage,
  fault: Extract<Fault, { kind: "broker" | "payload" }>,
): () => void {
  if (fault.kind === "broker") {
    coverage.count("broker restarts");
    bus.stop();
    return () => bus.start();
  }
  const isLower = fault.bytesMax < bus.payloadBytesMax;
  coverage.count(isLower ? "payload: limit lowered" : "payload: limit raised");
  bus.limitPayload(fault.bytesMax);
  return () => bus.limitPayload(payloadBytesMax);
}

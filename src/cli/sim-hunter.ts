/** One thread of `synod sim`: hunts the seeds it is sent, and says what it caught. */
import { parentPort } from "node:worker_threads";
import { hunt } from "../sim/run/hunt.js";

/** Seeds from ≤ seed < to. */
export interface Errand {
  readonly from: number;
  readonly to: number;
}

parentPort?.on("message", ({ from, to }: Errand) => {
  parentPort?.postMessage(hunt(from, to));
});

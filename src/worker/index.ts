/** `synod/worker`: running roles from a program of your own. */
export type { Logger } from "../kernel/ports.js";
export type { Wait } from "../kernel/role.js";
export type { Cluster } from "../paxos/cluster.js";
export { DescriptorError } from "./descriptor.js";
export type { ProcessStatus, ProcessWaits, RoleReport, RoleWaits } from "./report.js";
export { WorkerOptionsError } from "./roles.js";
export { type ClusterOptions, type RunningCluster, startCluster } from "./start-cluster.js";
export {
  type Ending,
  startWorker,
  type Worker,
  type WorkerOptions,
  WorkerRefused,
} from "./worker.js";

/**
 * The stores of a data folder: one folder `<role>-<id>` for each role that remembers.
 */
import { join } from "node:path";
import { type StoreIdentity, StoreRefused } from "../actor/refusal.js";
import { formatDirectory, type OpenDirectory, openDirectory } from "../adapters/lmdb/format.js";
import { type Cluster, safetyHash, storeIdOf } from "../paxos/cluster.js";

/** Milliseconds a store may still be held by a process that is ending, and between two tries. */
const heldMsMax = 3000;
const retryMs = 100;

/** Returns the folder of a role's store. */
export function storeFolder(data: string, role: string, id: string): string {
  return join(data, `${role}-${id}`);
}

/** Whose store a role needs. @throws Error if the descriptor does not list it */
function identityOf(cluster: Cluster, role: string, id: string): StoreIdentity {
  const storeId = storeIdOf(cluster, role, id);
  if (storeId === undefined) {
    throw new Error(`the descriptor of ${cluster.name} lists no ${role} ${id}`);
  }
  const { clusterId, epoch } = cluster;
  return { clusterId, role, id, storeId, epoch, safetyHash: safetyHash(cluster) };
}

/** Formats the store of a role, once. @throws StoreRefused */
export async function formatRoleStore(
  cluster: Cluster,
  role: string,
  id: string,
  data: string,
): Promise<string> {
  const folder = storeFolder(data, role, id);
  await formatDirectory(folder, identityOf(cluster, role, id));
  return folder;
}

/**
 * Opens the store of a role. A store that is held is tried again for a while: after a crash of a
 * supervisor its processes take a moment to end.
 *
 * @throws StoreRefused
 */
export async function openRoleStore(
  cluster: Cluster,
  role: string,
  id: string,
  data: string,
): Promise<OpenDirectory> {
  const identity = identityOf(cluster, role, id);
  const untilMs = performance.now() + heldMsMax;
  for (;;) {
    try {
      return await openDirectory(storeFolder(data, role, id), identity);
    } catch (error) {
      const isHeld = error instanceof StoreRefused && error.code === "in_use";
      if (!isHeld || performance.now() > untilMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }
}

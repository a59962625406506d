/**
 * The stores of a data folder: one folder `<role>-<id>` for each role that remembers.
 */
import { join } from "node:path";
import { formatDirectory, type OpenDirectory, openDirectory } from "../adapters/lmdb/format.js";
import {
  leaveDirectory,
  moveDirectory,
  prepareDirectory,
  takeInDirectory,
} from "../adapters/lmdb/move.js";
import { createRandom } from "../adapters/node/clock.js";
import { readMoveCode, writeMoveCode } from "../kernel/store/move.js";
import { type StoreIdentity, StoreRefused, storeIdentity } from "../kernel/store/refusal.js";
import { type Cluster, storeIdOf } from "../paxos/cluster.js";

/** A role's store in a data folder. */
interface RoleStore {
  readonly role: string;
  readonly id: string;
  /** The folder of the stores. */
  readonly data: string;
}

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
  return storeIdentity(cluster, role, id, storeId);
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

/** Moves the store of a role to another data folder of this machine. @throws StoreRefused */
export async function moveRoleStore(
  cluster: Cluster,
  { role, id, data, to }: RoleStore & { readonly to: string },
): Promise<string> {
  const identity = identityOf(cluster, role, id);
  const folder = storeFolder(to, role, id);
  await moveDirectory(storeFolder(data, role, id), folder, { identity, draw: drawMove });
  return folder;
}

/** Makes the folder that awaits a role's store from another machine. @returns the move's code */
export async function awaitRoleStore(
  cluster: Cluster,
  { role, id, data }: RoleStore,
): Promise<string> {
  const identity = identityOf(cluster, role, id);
  const folder = storeFolder(data, role, id);
  const move = await prepareDirectory(folder, { identity, draw: drawMove });
  return writeMoveCode(move, identity.storeId);
}

/**
 * Ends a role's store here, for the machine that printed the code.
 *
 * @returns the folder to carry there; undefined if it is no code for this store
 */
export async function sendRoleStore(
  cluster: Cluster,
  { role, id, data, code }: RoleStore & { readonly code: string },
): Promise<string | undefined> {
  const identity = identityOf(cluster, role, id);
  const move = readMoveCode(code, identity.storeId);
  if (move === undefined) return undefined;
  const folder = storeFolder(data, role, id);
  await leaveDirectory(folder, identity, move);
  return folder;
}

/** Takes in a role's store that was carried here. @throws StoreRefused */
export async function receiveRoleStore(
  cluster: Cluster,
  { role, id, data, from }: RoleStore & { readonly from: string },
): Promise<string> {
  const folder = storeFolder(data, role, id);
  await takeInDirectory(from, folder, identityOf(cluster, role, id));
  return folder;
}

function drawMove(): string {
  return createRandom().hex(16);
}

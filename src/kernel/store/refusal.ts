/**
 * Refusals: why a store may not be used, each with a sentence that says what to do.
 */
import { type Cluster, configurationHash } from "../../paxos/cluster.js";
import type { Meta } from "../../paxos/wire/record.js";
import type { DiskError } from "../ports.js";

/** Whose store it is, and under which configuration it is to serve, as the descriptor has it. */
export type StoreIdentity = Pick<
  Meta,
  "clusterId" | "clusterName" | "role" | "id" | "storeId" | "epoch" | "configurationHash"
> & {
  /** Of the configuration. */
  readonly windowMax: number;
};

/** Says whose store a role needs. @param storeId the one that the descriptor lists for it */
export function storeIdentity(
  cluster: Cluster,
  role: string,
  id: string,
  storeId: string,
): StoreIdentity {
  const { clusterId, name: clusterName, epoch, limits } = cluster;
  const configuration = { epoch, configurationHash: configurationHash(cluster) };
  return {
    clusterId,
    clusterName,
    role,
    id,
    storeId,
    ...configuration,
    windowMax: limits.windowMax,
  };
}

/** The part of a meta record that a descriptor gives. */
export function ownerOf(identity: StoreIdentity): Omit<StoreIdentity, "windowMax"> {
  const { clusterId, clusterName, role, id, storeId, epoch, configurationHash } = identity;
  return { clusterId, clusterName, role, id, storeId, epoch, configurationHash };
}

/** Why a store was not opened or formatted. */
export type RefusalCode =
  | "not_formatted"
  /** There may be a store, but this user cannot look. */
  | "unreadable"
  | "already_formatted"
  | "wrong_cluster"
  | "wrong_role"
  | "wrong_store"
  | "wrong_epoch"
  | "copied"
  /** The store left this place for another. */
  | "moved"
  /** The store that this place awaits has not arrived. */
  | "awaiting"
  /** What is to be taken in has not left its place. */
  | "not_moved"
  /** What is to be taken in left for another place. */
  | "wrong_move"
  | "corrupt"
  | "fenced"
  | "in_use"
  | "unwritable"
  /** Its disk is full: it may be opened once there is room. */
  | "no_room";

/** A store that may not be used; the message says what happened and what to do. */
export class StoreRefused extends Error {
  override readonly name = "StoreRefused";
  readonly code: RefusalCode;

  constructor(code: RefusalCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Holds a meta record against the descriptor: whose store it is, then what it served under.
 *
 * @throws StoreRefused
 */
export function checkOwner(meta: Meta, wanted: StoreIdentity, folder: string): void {
  const place = `${folder} holds the store of ${meta.role} ${meta.id}`;
  checkWhose(meta, wanted, place);
  checkConfiguration(meta, wanted, place);
}

/** Cluster, role and store never change: whatever differs, it is another one's store. */
function checkWhose(meta: Meta, wanted: StoreIdentity, place: string): void {
  if (meta.clusterId !== wanted.clusterId) {
    throw new StoreRefused("wrong_cluster", `${place} of another cluster; ${OTHER_FOLDER}`);
  }
  if (meta.clusterName !== wanted.clusterName) {
    throw new StoreRefused(
      "wrong_cluster",
      `${place} of cluster ${meta.clusterName}, which the descriptor calls ` +
        `${wanted.clusterName}; a cluster keeps its name: correct the descriptor`,
    );
  }
  if (meta.role !== wanted.role || meta.id !== wanted.id) {
    const message = `${place}, not that of ${wanted.role} ${wanted.id}; ${OTHER_FOLDER}`;
    throw new StoreRefused("wrong_role", message);
  }
  if (meta.storeId !== wanted.storeId) {
    const message = `${place}, but not the one that the descriptor lists; ${OTHER_FOLDER}`;
    throw new StoreRefused("wrong_store", message);
  }
}

/**
 * The promises and votes of a store count under the configuration that it served under, and under
 * no other: quorums of two configurations need not meet.
 */
function checkConfiguration(meta: Meta, wanted: StoreIdentity, place: string): void {
  const descriptor = "give every role the descriptor that its store last served under";
  if (meta.epoch !== wanted.epoch) {
    const epochs = `epoch ${meta.epoch}, and the descriptor has epoch ${wanted.epoch}`;
    throw new StoreRefused(
      "wrong_epoch",
      `${place}, which last served under ${epochs}; ${descriptor}`,
    );
  }
  if (meta.configurationHash !== wanted.configurationHash) {
    throw new StoreRefused(
      "wrong_epoch",
      `${place}, which last served under another configuration of the same epoch ${meta.epoch} ` +
        `(acceptors, proposers, their stores, quorums or windowMax differ); ${descriptor}`,
    );
  }
}

/**
 * Holds a meta record against the descriptor and the file it is in.
 *
 * @throws StoreRefused unless it is of this role's store, and this file is the store's home
 */
export function checkIdentity(
  meta: Meta,
  wanted: StoreIdentity,
  file: string,
  folder: string,
): void {
  checkOwner(meta, wanted, folder);
  const { standing, role, id } = meta;
  const move = `synod move ${role}:${id}`;
  if (standing.kind === "moved") {
    const where = standing.to === "" ? "another machine" : standing.to;
    throw new StoreRefused(
      "moved",
      `the store of ${role} ${id} was moved from ${folder} to ${where}, and never opens here ` +
        `again. Start the role there; if that move did not end, run \`${move}\` once more`,
    );
  }
  if (meta.file !== file) {
    throw new StoreRefused(
      "copied",
      `${folder} holds a copy of the store of ${role} ${id}: two of them would promise in one ` +
        `name. Start the original, or move it with \`${move} --to FOLDER\` (to another machine: ` +
        `\`${move} --help\`). If the original is lost, leave this copy off: it may lack the last ` +
        "promises and votes, and nothing can show that it does not",
    );
  }
  if (standing.kind === "awaiting") {
    throw new StoreRefused(
      "awaiting",
      `${folder} awaits the store of ${role} ${id}, which has not arrived: end the move with ` +
        `\`${move} --from FOLDER\`, or where both folders are on this machine run the same ` +
        "`synod move` once more",
    );
  }
}

const OTHER_FOLDER = "start this role on its own data folder, or correct its id or descriptor";

/** The refusal of a place that holds no store: never made anew silently. */
export function notFormatted(folder: string): StoreRefused {
  return new StoreRefused(
    "not_formatted",
    `${folder} holds no store. If this role never ran, format it with the store id that the ` +
      "descriptor lists. If it ran, its disk was wiped or is not mounted: bring it back, or " +
      "leave this role off; an empty store would have forgotten its promises",
  );
}

/** The refusal of a place that cannot be looked at: it may hold a store, so none is made there. */
export function unreadable(what: string, cause?: unknown): StoreRefused {
  const message = `${what}. It may hold a store: run as the user who owns it, or let this one in`;
  return new StoreRefused("unreadable", message, { cause });
}

/** The refusal to format a place that holds a store. */
export function alreadyFormatted(folder: string): StoreRefused {
  const message = `${folder} already holds a store; choose another folder, or start the role on it`;
  return new StoreRefused("already_formatted", message);
}

/** The refusal of a store that is not what was written. */
export function corrupt(folder: string, what: string, cause?: unknown): StoreRefused {
  return new StoreRefused(
    "corrupt",
    `${folder} is corrupt: ${what}. It answers no more, since it may have forgotten a promise ` +
      "or a vote: check the disk, and leave this role off if the store cannot be read again",
    { cause },
  );
}

/** The refusal of a store that another process has taken. */
export function fenced(folder: string): StoreRefused {
  const what = "stop one of the two and start this role again";
  return new StoreRefused("fenced", `another process has opened ${folder}; ${what}`);
}

/** The refusal of a store that could not be written when it was formatted or opened. */
export function unwritable(folder: string, error: DiskError): StoreRefused {
  const isFull = error.kind === "full";
  const what = isFull ? "make room" : "check the disk";
  const message = `${folder} could not be written: ${error.message}; ${what} and start again`;
  return new StoreRefused(isFull ? "no_room" : "unwritable", message);
}

/** Says what a failed write or sync means for a store. */
export function failed(folder: string, why = "it was written out of order"): string {
  return `${folder} could not be synced (${why}): what it holds is uncertain; check the disk`;
}

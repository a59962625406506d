/**
 * Messages as bytes: the one place that knows MessagePack. The README beside it is the wire format.
 */
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { Packr, RESERVE_START_SPACE } from "msgpackr";
import type { Codec, Envelope, WireFault } from "../../actor/ports.js";
import { type Cluster, safetyHash } from "../../paxos/cluster.js";
import type { Message, RoleName, Sender } from "../../paxos/messages.js";
import { isIntact, seal, UNSEALED } from "./checksum.js";
import { bytesToHex, hexToBytes } from "./hex.js";
import { isPlain } from "./plain.js";
import { SENDER_SCHEMA } from "./schema.js";
import { type VerbCodec, verbCodec } from "./verbs.js";
import { verbCodecOf2 } from "./version-2.js";

/** What we write. Grows when bytes change in a way that an older reader would misread. */
const WIRE_VERSION = 3;
/** The version before, which we still read: its envelopes carry no checksum. */
const VERSION_BEFORE = 2;

/** Wire version → its verbs: what we read, this version and the one before. */
const READERS: ReadonlyMap<unknown, (verb: string) => VerbCodec | undefined> = new Map([
  [WIRE_VERSION, verbCodec],
  [VERSION_BEFORE, verbCodecOf2],
]);

/** Roles on the wire. A number is never used for another role. */
const ROLE_CODES: { readonly [R in RoleName]: number } = {
  acceptor: 1,
  "synod-proposer": 2,
  proposer: 3,
  learner: 4,
  elector: 5,
  gateway: 6,
  session: 7,
};

const ROLE_OF = new Map<unknown, string>(
  Object.entries(ROLE_CODES).map(([role, code]) => [code, role]),
);

const checkSender = TypeCompiler.Compile(SENDER_SCHEMA);

const storeBytes = 16;
const processBytes = 8;
const hashBytes = 8;

/**
 * - `useRecords: false`: no structures to be agreed upon; also makes 64 … 127 plain integers;
 * - `int64AsType: "number"`: never a bigint; above 2^53 − 1 it rounds to what the bounds refuse;
 * - `copyBuffers: false`: bytes are views of the payload, and whoever keeps one copies it.
 */
const packr = new Packr({
  useRecords: false,
  mapsAsObjects: true,
  int64AsType: "number",
  copyBuffers: false,
});

/** The descriptor's part of every envelope. */
interface Realm {
  readonly clusterId: Uint8Array;
  readonly epoch: number;
  readonly hash: Uint8Array;
}

/** A sender and the bytes that all its messages begin with. */
interface Prefix {
  readonly sender: Sender;
  readonly bytes: Uint8Array;
}

/**
 * Makes the codec of one cluster: it writes this cluster's messages and reads no other's.
 *
 * Gotcha: `encode` returns a view of a buffer that many messages share, and `decode` returns views
 * of the payload. Either keeps the whole buffer alive: copy what is to be kept.
 */
export function createCodec(cluster: Cluster): Codec {
  const realm: Realm = {
    clusterId: hexToBytes(cluster.clusterId),
    epoch: cluster.epoch,
    hash: hexToBytes(safetyHash(cluster)).subarray(0, hashBytes),
  };
  // By role and id: as many as this process has roles.
  const prefixes = new Map<string, Prefix>();
  const prefixOf = (sender: Sender): Uint8Array => {
    const name = `${sender.role} ${sender.id}`;
    const known = prefixes.get(name);
    if (known !== undefined && isSameSender(known.sender, sender)) return known.bytes;
    const bytes = prefix(realm, sender);
    prefixes.set(name, { sender, bytes });
    return bytes;
  };
  return {
    encode: (sender, lc, message) => encode(prefixOf(sender), sender.writeNumber, lc, message),
    decode: (verb, payload) => decode(realm, verb, payload),
  };
}

function isSameSender(a: Sender, b: Sender): boolean {
  return (
    a.process === b.process &&
    a.id === b.id &&
    a.storeId === b.storeId &&
    a.incarnation === b.incarnation
  );
}

/**
 * Writes what all messages of a sender begin with: an array that lacks its last element. At most
 * 115 bytes; msgpackr leaves at most 255 in front of a message.
 *
 * @throws TypeError if no receiver would take this sender
 */
function prefix(realm: Realm, sender: Sender): Uint8Array {
  if (!checkSender.Check(sender)) {
    throw new TypeError(`a sender out of bounds: ${JSON.stringify(sender)}`);
  }
  const constant = [
    WIRE_VERSION,
    UNSEALED,
    realm.clusterId,
    realm.epoch,
    realm.hash,
    ROLE_CODES[sender.role],
    sender.id,
    sender.storeId === null ? null : hexToBytes(sender.storeId),
    sender.incarnation,
    hexToBytes(sender.process),
  ];
  const bytes = Uint8Array.from(packr.pack(constant));
  bytes[0] = 0x90 | (constant.length + 1);
  return bytes;
}

function encode(start: Uint8Array, writeNumber: number, lc: number, message: Message): Uint8Array {
  const verb = verbCodec(message.type) as VerbCodec;
  const changing = [writeNumber, lc, verb.toArray(message)];
  const bytes = packr.pack(changing, RESERVE_START_SPACE | start.length);
  bytes.set(start);
  seal(bytes);
  return bytes;
}

type Fault = { readonly fault: WireFault };

function decode(realm: Realm, verb: string, payload: Uint8Array): Envelope | Fault {
  let envelope: unknown;
  try {
    // A view of our own: msgpackr leaves a property on what it reads, and a Buffer's views would
    // be Buffers.
    const bytes = new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength);
    const isSealed = bytes[1] === WIRE_VERSION;
    if (isSealed && !isIntact(bytes, WIRE_VERSION)) return { fault: "wrong_checksum" };
    if (!isPlain(bytes)) return { fault: "undecodable" };
    envelope = packr.unpack(bytes);
    // MessagePack has longer ways to write the same header: no checksum was looked at there.
    if (!isSealed && versionOf(envelope) === WIRE_VERSION) return { fault: "wrong_checksum" };
  } catch {
    return { fault: "undecodable" };
  }
  if (!Array.isArray(envelope)) return { fault: "wrong_shape" };
  const version = versionOf(envelope);
  const reader = READERS.get(version);
  if (reader === undefined) return { fault: "wrong_version" };
  const sealed = version === VERSION_BEFORE ? withChecksum(envelope) : envelope;
  const fault = realmFault(realm, sealed);
  if (fault !== undefined) return { fault };
  const verbReader = reader(verb);
  if (verbReader === undefined) return { fault: "unknown_verb" };
  return open(sealed, verbReader) ?? { fault: "wrong_shape" };
}

function versionOf(envelope: unknown): unknown {
  return Array.isArray(envelope) ? envelope[0] : undefined;
}

/** Lays an envelope of version 2 out as one of version 3; nobody reads the checksum after this. */
function withChecksum(envelope: readonly unknown[]): unknown[] {
  const [version, ...rest] = envelope;
  return [version, UNSEALED, ...rest];
}

/** Says whether the envelope comes from another cluster, or from another epoch of this one. */
function realmFault(realm: Realm, envelope: readonly unknown[]): WireFault | undefined {
  const [, , clusterId, epoch, hash] = envelope;
  if (!isBytes(clusterId, realm.clusterId.length) || !isBytes(hash, hashBytes)) {
    return "wrong_shape";
  }
  if (!areSame(clusterId, realm.clusterId)) return "wrong_cluster";
  return epoch === realm.epoch && areSame(hash, realm.hash) ? undefined : "wrong_epoch";
}

function open(envelope: readonly unknown[], verb: VerbCodec): Envelope | undefined {
  const [, , , , , role, id, storeId, incarnation, process, changing] = envelope;
  if (!Array.isArray(changing) || changing.length < 3) return undefined;
  const [writeNumber, lc, body] = changing as unknown[];
  const sender = {
    role: ROLE_OF.get(role),
    id,
    storeId: storeId === null ? null : digitsOf(storeId, storeBytes),
    incarnation,
    writeNumber,
    process: digitsOf(process, processBytes),
  };
  if (!checkSender.Check(sender) || !Number.isSafeInteger(lc) || (lc as number) < 0) {
    return undefined;
  }
  const message = verb.read(body);
  return message && { sender, lc: lc as number, message };
}

function digitsOf(value: unknown, length: number): string | undefined {
  return isBytes(value, length) ? bytesToHex(value, 0, length) : undefined;
}

function isBytes(value: unknown, length: number): value is Uint8Array {
  return value instanceof Uint8Array && value.length === length;
}

function areSame(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

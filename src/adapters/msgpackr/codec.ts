/**
 * Messages as bytes: the one place that knows MessagePack. The README beside it is the wire format.
 */
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { Unpackr } from "msgpackr";
import type { Codec, Envelope, WireFault } from "../../kernel/ports.js";
import { type Cluster, type ConfigurationName, configurationName } from "../../paxos/cluster.js";
import type { Message, RoleName, Sender } from "../../paxos/wire/messages.js";
import { isIntact, seal, UNSEALED } from "./checksum.js";
import { bytesToHex, hexToBytes } from "./hex.js";
import { isPlain } from "./plain.js";
import { SENDER_SCHEMA } from "./schema.js";
import { type VerbCodec, verbCodec } from "./verbs.js";
import { PlainWriter } from "./writer.js";

/** What we write and read. Grows when bytes change in a way that an older reader would misread. */
const WIRE_VERSION = 4;

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
const unpackr = new Unpackr({
  useRecords: false,
  mapsAsObjects: true,
  int64AsType: "number",
  copyBuffers: false,
});

const writer = new PlainWriter();
const NOTHING = new Uint8Array(0);

/** The descriptor's part of every envelope: whose message it is, and under which configuration. */
interface Realm {
  readonly clusterId: Uint8Array;
  readonly configuration: ConfigurationName;
  /** That of the configuration, as bytes. */
  readonly hash: Uint8Array;
}

/** A sender and the bytes that all its messages begin with. */
interface Prefix {
  readonly sender: Sender;
  readonly bytes: Uint8Array;
}

/**
 * Makes the codec of one cluster: it writes this cluster's messages and reads no other's. Of
 * another configuration of this cluster it reads them, and says which: rules decide whether they
 * may be judged here.
 *
 * Gotcha: `encode` returns a view of a buffer that many messages share, and `decode` returns views
 * of the payload. Either keeps the whole buffer alive: copy what is to be kept.
 */
export function createCodec(cluster: Cluster): Codec {
  const configuration = configurationName(cluster);
  const realm: Realm = {
    clusterId: hexToBytes(cluster.clusterId),
    configuration,
    hash: hexToBytes(configuration.hash),
  };
  // By role, then by id: as many as this process has roles.
  const prefixes = new Map<RoleName, Map<string, Prefix>>();
  const prefixOf = (sender: Sender): Uint8Array => {
    const ofRole = prefixes.get(sender.role) ?? new Map<string, Prefix>();
    const known = ofRole.get(sender.id);
    if (known !== undefined && isSameSender(known.sender, sender)) return known.bytes;
    const bytes = prefix(realm, sender);
    prefixes.set(sender.role, ofRole.set(sender.id, { sender, bytes }));
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
 * Writes what all messages of a sender begin with: an array that lacks its last element.
 *
 * @throws TypeError if no receiver would take this sender
 */
function prefix(realm: Realm, sender: Sender): Uint8Array {
  if (!checkSender.Check(sender)) {
    throw new TypeError(`a sender out of bounds: ${JSON.stringify(sender)}`);
  }
  const { clusterId, configuration, hash } = realm;
  writer.begin(NOTHING);
  writer.array(11);
  writer.number(WIRE_VERSION);
  writer.number(UNSEALED);
  writer.bytes(clusterId);
  writer.number(configuration.epoch);
  writer.bytes(hash);
  writer.number(ROLE_CODES[sender.role]);
  writer.text(sender.id);
  if (sender.storeId === null) writer.nil();
  else writer.hex(sender.storeId);
  writer.number(sender.incarnation);
  writer.hex(sender.process);
  return writer.end().slice();
}

function encode(start: Uint8Array, writeNumber: number, lc: number, message: Message): Uint8Array {
  const verb = verbCodec(message.type) as VerbCodec;
  writer.begin(start);
  writer.array(3);
  writer.number(writeNumber);
  writer.number(lc);
  verb.write(message, writer);
  const bytes = writer.end();
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
    envelope = unpackr.unpack(bytes);
    // MessagePack has longer ways to write the same header: no checksum was looked at there.
    if (!isSealed && versionOf(envelope) === WIRE_VERSION) return { fault: "wrong_checksum" };
  } catch {
    return { fault: "undecodable" };
  }
  if (!Array.isArray(envelope)) return { fault: "wrong_shape" };
  if (versionOf(envelope) !== WIRE_VERSION) return { fault: "wrong_version" };
  const configuration = configurationOf(realm, envelope);
  if ("fault" in configuration) return configuration;
  const verbReader = verbCodec(verb);
  if (verbReader === undefined) return { fault: "unknown_verb" };
  return open(envelope, configuration, verbReader) ?? { fault: "wrong_shape" };
}

function versionOf(envelope: unknown): unknown {
  return Array.isArray(envelope) ? envelope[0] : undefined;
}

/** Names the configuration of an envelope of this cluster; one of another cluster is foreign. */
function configurationOf(realm: Realm, envelope: readonly unknown[]): ConfigurationName | Fault {
  const [, , clusterId, epoch, hash] = envelope;
  if (!isBytes(clusterId, realm.clusterId.length) || !isBytes(hash, hashBytes)) {
    return { fault: "wrong_shape" };
  }
  if (!areSame(clusterId, realm.clusterId)) return { fault: "wrong_cluster" };
  if (epoch === realm.configuration.epoch && areSame(hash, realm.hash)) return realm.configuration;
  if (!Number.isSafeInteger(epoch) || (epoch as number) < 1) return { fault: "wrong_shape" };
  return { epoch: epoch as number, hash: bytesToHex(hash, 0, hashBytes) };
}

function open(
  envelope: readonly unknown[],
  configuration: ConfigurationName,
  verb: VerbCodec,
): Envelope | undefined {
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
  return message && { sender, configuration, lc: lc as number, message };
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

/**
 * The part of the log that a learner keeps, for readers and for other learners: chosen values as
 * bytes, in few large buffers.
 *
 * Each value is kept once, as it was chosen. A slot costs 12 bytes beside it and a position 4:
 * where its value or command begins. What is asked for is read from the bytes then.
 *
 * Why not objects: those of a 16-byte command took some 700 bytes, which no bound counted, and the
 * process collected garbage until it answered nobody.
 */
import { invariant } from "../assert.js";
import { type Ballot, formatBallot } from "../ballot.js";
import { decodeCommand } from "../command.js";
import { commandFrom } from "../value.js";
import type { ChosenEntry } from "../wire/messages.js";
import type { LogEntry } from "./log.js";

/** Who chose a value; most values of a segment share a few of these. */
interface Evidence {
  readonly ballot: Ballot;
  readonly syncedBy: readonly string[];
}

/** Numbers that a slot takes: where its value begins, its first position, its evidence. */
const SLOT_FIELDS = 3;
/** What the objects around a segment's buffers, and one evidence, take; estimated from above. */
const SEGMENT_BYTES = 1024;
const EVIDENCE_BYTES = 256;
/** Bytes of a segment, at most and at least, and its share of the bound: so much goes at once. */
const SEGMENT_BYTES_MAX = 1024 * 1024;
const SEGMENT_BYTES_MIN = 1024;
const SEGMENTS = 32;

/** Values of consecutive slots. Its buffers grow by doubling until it is full. */
class Segment {
  values = new Uint8Array(256);
  slots = new Uint32Array(16);
  positions = new Uint32Array(16);
  evidence: Evidence[] = [];
  valuesLength = 0;
  slotsLength = 0;
  positionsLength = 0;

  readonly firstSlot: number;
  readonly firstPosition: number;

  constructor(firstSlot: number, firstPosition: number) {
    this.firstSlot = firstSlot;
    this.firstPosition = firstPosition;
  }

  get bytes(): number {
    const { values, slots, positions, evidence } = this;
    const buffers = values.byteLength + slots.byteLength + positions.byteLength;
    return buffers + evidence.length * EVIDENCE_BYTES + SEGMENT_BYTES;
  }

  append(value: Uint8Array, evidence: number, commandsAt: readonly number[]): void {
    const valueAt = this.valuesLength;
    this.values = withRoom(this.values, valueAt, value.length);
    this.values.set(value, valueAt);
    this.valuesLength += value.length;
    this.slots = withRoom(this.slots, this.slotsLength, SLOT_FIELDS);
    this.slots.set([valueAt, this.positionsLength, evidence], this.slotsLength);
    this.slotsLength += SLOT_FIELDS;
    this.positions = withRoom(this.positions, this.positionsLength, commandsAt.length);
    for (const at of commandsAt) this.positions[this.positionsLength++] = valueAt + at;
  }

  /** Gives back what its buffers have to spare: nothing is appended to it any more. */
  seal(): void {
    this.values = this.values.slice(0, this.valuesLength);
    this.slots = this.slots.slice(0, this.slotsLength);
    this.positions = this.positions.slice(0, this.positionsLength);
  }

  /** The value of the n-th slot: a view, which never changes. */
  valueOf(n: number): Uint8Array {
    const isLast = SLOT_FIELDS * (n + 1) === this.slotsLength;
    const end = isLast ? this.valuesLength : this.slots[SLOT_FIELDS * (n + 1)];
    return this.values.subarray(this.slots[SLOT_FIELDS * n], end);
  }

  evidenceOf(n: number): Evidence {
    return this.evidence[this.slots[SLOT_FIELDS * n + 2] as number] as Evidence;
  }

  /** The slot, counted from the segment's first, that brought the n-th position. */
  slotOfPosition(n: number): number {
    const { slots, slotsLength } = this;
    return lastWhere(slotsLength / SLOT_FIELDS, (at) => (slots[SLOT_FIELDS * at + 1] ?? 0) <= n);
  }
}

/** Keeps chosen values up to a bound; the oldest go first, whole segments of them. */
export class KeptLog {
  private readonly bytesMax: number;
  private segments: Segment[] = [];
  /** Evidence of the last segment, by its text. */
  private evidenceAt = new Map<string, number>();
  private sealedBytes = 0;
  private nextSlot = 0;
  private nextPosition = 1;

  /** @param bytesMax of all that it holds, the index and spare room of buffers included */
  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** What it takes. */
  get bytes(): number {
    return this.sealedBytes + (this.segments.at(-1)?.bytes ?? 0);
  }

  /** The first slot that it keeps; the next one if it keeps none. */
  get firstSlot(): number {
    return this.segments[0]?.firstSlot ?? this.nextSlot;
  }

  /** The first position that it keeps; the next one if it keeps none. */
  get firstPosition(): number {
    return this.segments[0]?.firstPosition ?? this.nextPosition;
  }

  /**
   * Takes the value of the next slot.
   *
   * Requires: called once for each slot, in order.
   * @param commandsAt where in the value each command begins that took effect, in order
   */
  append(entry: ChosenEntry, commandsAt: readonly number[]): void {
    invariant(entry.slot === this.nextSlot, `slot ${this.nextSlot} is kept next`);
    const segment = this.openSegment();
    segment.append(entry.value, this.intern(segment, entry), commandsAt);
    this.nextSlot++;
    this.nextPosition += commandsAt.length;
    while (this.bytes > this.bytesMax) this.dropOldest();
  }

  /** The value of a slot with its evidence; undefined if it is not kept. */
  chosenAt(slot: number): ChosenEntry | undefined {
    if (slot < this.firstSlot || slot >= this.nextSlot) return undefined;
    const at = lastWhere(this.segments.length, (n) => this.firstOf(n).firstSlot <= slot);
    const segment = this.firstOf(at);
    const n = slot - segment.firstSlot;
    return { slot, value: segment.valueOf(n), ...segment.evidenceOf(n) };
  }

  /** What stands at a position; undefined if it is not kept. */
  entryAt(position: number): LogEntry | undefined {
    if (position < this.firstPosition || position >= this.nextPosition) return undefined;
    const at = lastWhere(this.segments.length, (n) => this.firstOf(n).firstPosition <= position);
    const segment = this.firstOf(at);
    const n = position - segment.firstPosition;
    const inSegment = segment.slotOfPosition(n);
    const slot = segment.firstSlot + inSegment;
    const command = decodeCommand(commandFrom(segment.values, segment.positions[n] as number));
    invariant(command.kind === "request", `a request stands at position ${position}`);
    const { type, body } = command;
    return { position, slot, ...segment.evidenceOf(inSegment), type, body };
  }

  private firstOf(n: number): Segment {
    return this.segments[n] as Segment;
  }

  private openSegment(): Segment {
    const last = this.segments.at(-1);
    const share = Math.min(SEGMENT_BYTES_MAX, this.bytesMax / SEGMENTS);
    if (last !== undefined && last.bytes < Math.max(SEGMENT_BYTES_MIN, share)) return last;
    if (last !== undefined) {
      last.seal();
      this.sealedBytes += last.bytes;
    }
    const segment = new Segment(this.nextSlot, this.nextPosition);
    this.segments.push(segment);
    this.evidenceAt = new Map();
    return segment;
  }

  private intern(segment: Segment, { ballot, syncedBy }: ChosenEntry): number {
    const text = `${formatBallot(ballot)} ${syncedBy.join()}`;
    const known = this.evidenceAt.get(text);
    if (known !== undefined) return known;
    this.evidenceAt.set(text, segment.evidence.length);
    return segment.evidence.push({ ballot, syncedBy }) - 1;
  }

  private dropOldest(): void {
    const oldest = this.segments.shift();
    if (oldest !== undefined && this.segments.length > 0) this.sealedBytes -= oldest.bytes;
  }
}

/** Returns the buffer, or a larger one with the same beginning. */
function withRoom<T extends Uint8Array | Uint32Array>(buffer: T, length: number, more: number): T {
  if (length + more <= buffer.length) return buffer;
  const room = Math.max(length + more, 2 * buffer.length);
  const grown = (buffer instanceof Uint8Array ? new Uint8Array(room) : new Uint32Array(room)) as T;
  grown.set(buffer.subarray(0, length));
  return grown;
}

/** The last of 0 ≤ n < count for which `holds`; it holds for 0, and for none after one without. */
function lastWhere(count: number, holds: (n: number) => boolean): number {
  let low = 0;
  let high = count - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (holds(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

import { ProtocolError } from "./errors.js";

/**
 * What a client said, one call per frame, in the order of the bytes.
 *
 * Text is latin1: each byte is one character, so any subject passes through unchanged.
 */
export interface FrameSink {
  /** @param options the JSON text of CONNECT, not yet parsed */
  connect(options: string): void;
  ping(): void;
  pong(): void;
  /**
   * @param reply       the reply subject, '' if none
   * @param headerBytes how many bytes of `payload` are headers; 0 for PUB
   * @param payload     headers and body; a view that is never written again, so it may be kept
   *                    (Node reads into a fresh buffer each time), at the price of keeping the
   *                    whole chunk it lies in
   */
  publish(subject: string, reply: string, headerBytes: number, payload: Buffer): void;
  /** @param queue the queue group, '' if none */
  subscribe(subject: string, queue: string, sid: string): void;
  /** @param deliveredMax end after so many messages in all; 0 means now */
  unsubscribe(sid: string, deliveredMax: number): void;
}

/** The two bounds the parser enforces itself; see `BrokerLimits`. */
export interface ParserLimits {
  readonly controlLineBytesMax: number;
  readonly payloadBytesMax: number;
}

const lineFeed = 10;
const carriageReturn = 13;
const space = 32;
const tab = 9;
/** HPUB has the most: subject, reply, two sizes. */
const fieldsMax = 4;
/** Longer numbers are refused, so that a size never leaves the exact integers. */
const digitsMax = 9;

/**
 * Splits a client's byte stream into frames, however the network cut it.
 *
 * Holds: the frames reported depend on the bytes only, not on the chunks. A frame that lies whole
 * in a chunk is reported without a copy. Limits: it keeps at most one control line and one payload.
 */
export class Parser {
  /** Set it to ignore all further bytes, also the rest of the current chunk. */
  stopped = false;
  readonly #sink: FrameSink;
  readonly #limits: ParserLimits;
  /** The part of a control line that came in earlier chunks; allocated when first needed. */
  #line: Buffer | undefined;
  #lineBytes = 0;
  /** Bytes of the payload that is due, -1 when a control line is due. */
  #bodyBytes = -1;
  /** The part of the payload (and its CR LF) that came in earlier chunks. */
  #body: Buffer | undefined;
  #bodyFilled = 0;
  #subject = "";
  #reply = "";
  #headerBytes = 0;
  readonly #starts: number[] = new Array<number>(fieldsMax).fill(0);
  readonly #ends: number[] = new Array<number>(fieldsMax).fill(0);

  constructor(sink: FrameSink, limits: ParserLimits) {
    this.#sink = sink;
    this.#limits = limits;
  }

  /**
   * Reads the next bytes of the stream and reports every frame they complete.
   *
   * @throws ProtocolError at the first byte that cannot be right; the parser must not be used after
   * it
   */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.stopped) {
      at = this.#bodyBytes < 0 ? this.#readLine(chunk, at) : this.#readBody(chunk, at);
    }
  }

  #readLine(chunk: Buffer, at: number): number {
    const feed = chunk.indexOf(lineFeed, at);
    const end = feed < 0 ? chunk.length : feed;
    const bytes = this.#lineBytes + end - at;
    // Judged before the line is complete: a client that never ends its line must not fill the
    // memory.
    if (bytes > this.#limits.controlLineBytesMax) {
      throw new ProtocolError("maximum control line exceeded");
    }
    if (feed >= 0 && this.#lineBytes === 0) {
      this.#parseLine(chunk, at, end);
      return feed + 1;
    }
    this.#line ??= Buffer.allocUnsafe(this.#limits.controlLineBytesMax);
    chunk.copy(this.#line, this.#lineBytes, at, end);
    this.#lineBytes = bytes;
    if (feed < 0) {
      return end;
    }
    this.#lineBytes = 0;
    this.#parseLine(this.#line, 0, bytes);
    return feed + 1;
  }

  #readBody(chunk: Buffer, at: number): number {
    const due = this.#bodyBytes + 2;
    if (this.#body === undefined) {
      if (chunk.length - at >= due) {
        this.#finishBody(chunk, at);
        return at + due;
      }
      this.#body = Buffer.allocUnsafe(due);
      this.#bodyFilled = 0;
    }
    const taken = chunk.copy(this.#body, this.#bodyFilled, at);
    this.#bodyFilled += taken;
    if (this.#bodyFilled === due) {
      const body = this.#body;
      this.#body = undefined;
      this.#finishBody(body, 0);
    }
    return at + taken;
  }

  #finishBody(buffer: Buffer, start: number): void {
    const end = start + this.#bodyBytes;
    this.#bodyBytes = -1;
    if (buffer[end] !== carriageReturn || buffer[end + 1] !== lineFeed) {
      throw new ProtocolError("Unknown Protocol Operation");
    }
    const payload = buffer.subarray(start, end);
    this.#sink.publish(this.#subject, this.#reply, this.#headerBytes, payload);
  }

  #parseLine(buffer: Buffer, start: number, feed: number): void {
    const end = feed > start && buffer[feed - 1] === carriageReturn ? feed - 1 : feed;
    let verbEnd = start;
    while (verbEnd < end && buffer[verbEnd] !== space && buffer[verbEnd] !== tab) {
      verbEnd += 1;
    }
    const verb = verbEnd - start > 7 ? "" : buffer.toString("latin1", start, verbEnd);
    if (verb === "PUB") {
      this.#parsePublish(buffer, verbEnd, end, 0);
    } else if (verb === "HPUB") {
      this.#parsePublish(buffer, verbEnd, end, 1);
    } else {
      this.#parseOther(verb.toUpperCase(), buffer, verbEnd, end);
    }
  }

  #parseOther(verb: string, buffer: Buffer, start: number, end: number): void {
    switch (verb) {
      case "PING":
        this.#sink.ping();
        break;
      case "PONG":
        this.#sink.pong();
        break;
      case "SUB":
        this.#parseSubscribe(buffer, start, end);
        break;
      case "UNSUB":
        this.#parseUnsubscribe(buffer, start, end);
        break;
      case "CONNECT":
        this.#sink.connect(buffer.toString("latin1", start, end).trim());
        break;
      case "PUB":
        this.#parsePublish(buffer, start, end, 0);
        break;
      case "HPUB":
        this.#parsePublish(buffer, start, end, 1);
        break;
      default:
        throw new ProtocolError("Unknown Protocol Operation");
    }
  }

  /** @param headerFields 1 for HPUB, which gives the size of its headers before the total */
  #parsePublish(buffer: Buffer, start: number, end: number, headerFields: 0 | 1): void {
    const count = this.#split(buffer, start, end, 2 + headerFields, 3 + headerFields);
    const total = this.#number(buffer, count - 1);
    if (total > this.#limits.payloadBytesMax) {
      throw new ProtocolError("Maximum Payload Violation");
    }
    const headerBytes = headerFields === 0 ? 0 : this.#number(buffer, count - 2);
    if (headerBytes > total) {
      throw new ProtocolError("Bad or Missing Header Size");
    }
    this.#subject = this.#text(buffer, 0);
    this.#reply = count === 3 + headerFields ? this.#text(buffer, 1) : "";
    this.#headerBytes = headerBytes;
    this.#bodyBytes = total;
  }

  #parseSubscribe(buffer: Buffer, start: number, end: number): void {
    const count = this.#split(buffer, start, end, 2, 3);
    const queue = count === 3 ? this.#text(buffer, 1) : "";
    this.#sink.subscribe(this.#text(buffer, 0), queue, this.#text(buffer, count - 1));
  }

  #parseUnsubscribe(buffer: Buffer, start: number, end: number): void {
    const count = this.#split(buffer, start, end, 1, 2);
    this.#sink.unsubscribe(this.#text(buffer, 0), count === 2 ? this.#number(buffer, 1) : 0);
  }

  /** Notes where the fields between blanks lie, and answers how many there are. */
  #split(buffer: Buffer, start: number, end: number, countMin: number, countMax: number): number {
    let count = 0;
    let at = start;
    while (at < end) {
      const byte = buffer[at];
      if (byte === space || byte === tab) {
        at += 1;
        continue;
      }
      if (count === countMax) {
        throw new ProtocolError("Too Many Arguments");
      }
      this.#starts[count] = at;
      while (at < end && buffer[at] !== space && buffer[at] !== tab) {
        at += 1;
      }
      this.#ends[count] = at;
      count += 1;
    }
    if (count < countMin) {
      throw new ProtocolError("Too Few Arguments");
    }
    return count;
  }

  #text(buffer: Buffer, field: number): string {
    return buffer.toString("latin1", this.#starts[field], this.#ends[field]);
  }

  #number(buffer: Buffer, field: number): number {
    const start = this.#starts[field] ?? 0;
    const end = this.#ends[field] ?? 0;
    let value = 0;
    for (let at = start; at < end; at += 1) {
      const digit = (buffer[at] ?? 0) - 48;
      if (digit < 0 || digit > 9 || end - start > digitsMax) {
        throw new ProtocolError("Bad or Missing Size");
      }
      value = value * 10 + digit;
    }
    return value;
  }
}

import type { Socket } from "node:net";

/** Small frames are gathered in blocks of this size. */
const blockBytes = 32_768;
/** A payload from this size on is passed on without a copy. */
const sharedBytesMin = 8_192;
/** So much is not held back until the end of the tick. */
const flushBytesMin = 65_536;

/**
 * Gathers what one connection is to be sent and writes it in few large pieces.
 *
 * At most one write is under way; what comes meanwhile gathers in full blocks. So memory stays near
 * the bytes counted even when the reader is slow, and a fast burst costs one system call per flush.
 *
 * Limits: with more than `pendingBytesMax` waiting, `overflow` is called once per frame and the
 * frame is not kept.
 */
export class Outbound {
  readonly #socket: Socket;
  readonly #pendingBytesMax: number;
  readonly #overflow: () => void;
  #block: Buffer | undefined;
  /** The block's bytes from here to `#used` are not queued yet. */
  #start = 0;
  #used = 0;
  #queue: Buffer[] = [];
  /** Bytes gathered, not yet given to the socket. */
  #gathered = 0;
  /** Bytes given to the socket, not yet taken by the system. */
  #writing = 0;

  constructor(socket: Socket, pendingBytesMax: number, overflow: () => void) {
    this.#socket = socket;
    this.#pendingBytesMax = pendingBytesMax;
    this.#overflow = overflow;
  }

  /** Bytes that wait to be taken by the system. */
  get pendingBytes(): number {
    return this.#gathered + this.#writing;
  }

  /** Appends protocol text; each character is one byte (latin1). */
  text(text: string): void {
    if (this.#admit(text.length)) {
      this.#text(text);
      this.#flushIfLarge();
    }
  }

  /**
   * Appends a control line, a payload and CR LF as one frame. The payload must not change
   * afterwards.
   */
  message(line: string, payload: Buffer): void {
    if (this.#admit(line.length + payload.length + 2)) {
      this.#text(line);
      this.#bytes(payload);
      this.#text("\r\n");
      this.#flushIfLarge();
    }
  }

  /** Writes what is gathered, unless a write is under way, whose end will do it. */
  flush(): void {
    if (this.#writing === 0) {
      this.#write();
    }
  }

  /** Writes what is gathered, then says goodbye to the other side. */
  end(): void {
    this.#write();
    this.#socket.end();
  }

  #admit(bytes: number): boolean {
    if (this.pendingBytes + bytes > this.#pendingBytesMax) {
      this.#overflow();
      return false;
    }
    this.#gathered += bytes;
    return true;
  }

  #flushIfLarge(): void {
    if (this.#gathered >= flushBytesMin) {
      this.flush();
    }
  }

  #text(text: string): void {
    if (text.length > blockBytes) {
      this.#queueBlock();
      this.#queue.push(Buffer.from(text, "latin1"));
      return;
    }
    const block = this.#room(text.length);
    this.#used += block.write(text, this.#used, "latin1");
  }

  #bytes(bytes: Buffer): void {
    if (bytes.length >= sharedBytesMin) {
      this.#queueBlock();
      this.#queue.push(bytes);
      return;
    }
    const block = this.#room(bytes.length);
    this.#used += bytes.copy(block, this.#used);
  }

  #room(bytes: number): Buffer {
    if (this.#block === undefined || this.#used + bytes > blockBytes) {
      this.#queueBlock();
      this.#block = Buffer.allocUnsafeSlow(blockBytes);
      this.#start = 0;
      this.#used = 0;
    }
    return this.#block;
  }

  #queueBlock(): void {
    if (this.#block !== undefined && this.#used > this.#start) {
      this.#queue.push(this.#block.subarray(this.#start, this.#used));
      this.#start = this.#used;
    }
  }

  #write(): void {
    this.#queueBlock();
    const queue = this.#queue;
    if (queue.length === 0) {
      return;
    }
    this.#queue = [];
    const bytes = this.#gathered;
    this.#gathered = 0;
    this.#writing += bytes;
    this.#socket.cork();
    for (let i = 0; i < queue.length - 1; i += 1) {
      this.#socket.write(queue[i]!);
    }
    this.#socket.write(queue[queue.length - 1]!, () => this.#written(bytes));
    this.#socket.uncork();
  }

  #written(bytes: number): void {
    this.#writing -= bytes;
    if (this.#writing > 0) {
      return;
    }
    if (this.#gathered > 0 && !this.#socket.destroyed) {
      this.#write();
    } else {
      // Every byte of the block is with the system: it can be filled again from its start.
      this.#start = 0;
      this.#used = 0;
    }
  }
}

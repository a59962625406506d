/**
 * The bytes of a file, as a disk has them.
 */

/** A disk writes so many bytes whole or not at all. */
export const sectorBytes = 512;

/** The bytes of a file. */
export class Image {
  bytes = Buffer.alloc(2 ** 12);
  length = 0;

  /** @param other undefined: an empty file */
  copy(other: Image | undefined): void {
    this.length = 0;
    if (other === undefined) return;
    this.#reach(other.length);
    other.bytes.copy(this.bytes, 0, 0, other.length);
  }

  setLength(to: number): void {
    if (to > this.length) this.#reach(to);
    this.bytes.fill(0, to, this.length);
    this.length = to;
  }

  write(at: number, bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#reach(at + bytes.length);
    bytes.copy(this.bytes, at);
  }

  /** Writes only some sectors. @param kept of those that the bytes touch, which of them */
  writeSectors(at: number, bytes: Buffer, kept: readonly boolean[]): void {
    const end = at + bytes.length;
    const first = Math.floor(at / sectorBytes);
    for (let from = at; from < end; ) {
      const sector = Math.floor(from / sectorBytes);
      const to = Math.min(end, (sector + 1) * sectorBytes);
      if (kept[sector - first] === true) this.write(from, bytes.subarray(from - at, to - at));
      from = to;
    }
  }

  /** Makes it at least so long; what was never written reads as zeros. */
  #reach(length: number): void {
    if (length <= this.length) return;
    if (length > this.bytes.length) {
      const longer = Buffer.alloc(2 * length);
      this.bytes.copy(longer, 0, 0, this.length);
      this.bytes = longer;
    } else {
      this.bytes.fill(0, this.length, length);
    }
    this.length = length;
  }
}

/**
 * Tuples of small integers, each kept once and named by its number, in typed arrays.
 *
 * Why not a Map: tens of millions of states must fit in memory. A tuple costs 4 bytes a part, 4 for
 * its parent if parents are kept, and 4 … 8 for its place in the index.
 */

/** Tuples of one chunk; a power of two. */
const CHUNK_BITS = 16;
const CHUNK_TUPLES = 1 << CHUNK_BITS;

/** A set of tuples of one width. Numbers are given in the order of arrival, from 0. */
export class Tuples {
  readonly width: number;
  /** What to look up, or what was read last. Filled by the caller before {@link intern}. */
  readonly scratch: Int32Array;
  /** Whether the last {@link intern} met its tuple for the first time. */
  isNew = false;
  #count = 0;
  readonly #chunks: Int32Array[] = [];
  /** Open addressing: number of the tuple + 1, or 0. */
  #index = new Int32Array(1 << 12);

  constructor(width: number) {
    this.width = width;
    this.scratch = new Int32Array(width);
  }

  /** How many there are. */
  get size(): number {
    return this.#count;
  }

  /** Bytes of the arrays. */
  get bytes(): number {
    return this.#chunks.length * CHUNK_TUPLES * this.width * 4 + this.#index.length * 4;
  }

  /** Returns the number of the tuple in `scratch`; a new one if it was never met. */
  intern(): number {
    if (this.#count * 3 >= this.#index.length * 2) this.#grow();
    const index = this.#index;
    const mask = index.length - 1;
    let at = hash(this.scratch, 0, this.width) & mask;
    for (;;) {
      const found = index[at] as number;
      if (found === 0) break;
      if (this.#equals(found - 1)) {
        this.isNew = false;
        return found - 1;
      }
      at = (at + 1) & mask;
    }
    this.isNew = true;
    index[at] = this.#count + 1;
    return this.#append();
  }

  /** Reads one part of a tuple. */
  get(tuple: number, part: number): number {
    const chunk = this.#chunks[tuple >> CHUNK_BITS] as Int32Array;
    return chunk[(tuple & (CHUNK_TUPLES - 1)) * this.width + part] as number;
  }

  /** Reads a tuple into an array. */
  read(tuple: number, into: Int32Array): void {
    const chunk = this.#chunks[tuple >> CHUNK_BITS] as Int32Array;
    const at = (tuple & (CHUNK_TUPLES - 1)) * this.width;
    for (let part = 0; part < this.width; part++) into[part] = chunk[at + part] as number;
  }

  #append(): number {
    const tuple = this.#count++;
    const place = tuple & (CHUNK_TUPLES - 1);
    if (place === 0) this.#chunks.push(new Int32Array(CHUNK_TUPLES * this.width));
    (this.#chunks[tuple >> CHUNK_BITS] as Int32Array).set(this.scratch, place * this.width);
    return tuple;
  }

  #equals(tuple: number): boolean {
    const chunk = this.#chunks[tuple >> CHUNK_BITS] as Int32Array;
    const at = (tuple & (CHUNK_TUPLES - 1)) * this.width;
    for (let part = 0; part < this.width; part++) {
      if (chunk[at + part] !== this.scratch[part]) return false;
    }
    return true;
  }

  #grow(): void {
    const index = new Int32Array(this.#index.length * 2);
    const mask = index.length - 1;
    for (let tuple = 0; tuple < this.#count; tuple++) {
      const chunk = this.#chunks[tuple >> CHUNK_BITS] as Int32Array;
      let at = hash(chunk, (tuple & (CHUNK_TUPLES - 1)) * this.width, this.width) & mask;
      while (index[at] !== 0) at = (at + 1) & mask;
      index[at] = tuple + 1;
    }
    this.#index = index;
  }
}

function hash(words: Int32Array, from: number, width: number): number {
  let h = 0x9e3779b9;
  for (let part = 0; part < width; part++) {
    h = Math.imul(h ^ (words[from + part] as number), 0x85ebca6b);
    h ^= h >>> 15;
  }
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** A growing list of integers in chunks. */
export class Integers {
  #count = 0;
  readonly #chunks: Int32Array[] = [];

  get size(): number {
    return this.#count;
  }

  push(value: number): void {
    const place = this.#count & (CHUNK_TUPLES - 1);
    if (place === 0) this.#chunks.push(new Int32Array(CHUNK_TUPLES));
    (this.#chunks[this.#count >> CHUNK_BITS] as Int32Array)[place] = value;
    this.#count++;
  }

  get(at: number): number {
    return (this.#chunks[at >> CHUNK_BITS] as Int32Array)[at & (CHUNK_TUPLES - 1)] as number;
  }
}

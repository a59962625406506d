import type { Random } from "../../kernel/ports.js";

/** Randomness that a seed repeats. */
export interface SeededRandom extends Random {
  /** A whole number from 0 to `below` - 1. */
  integer(below: number): number;
  /** A stream of its own, the same for the same seed and name however much was drawn here. */
  fork(name: string): SeededRandom;
}

/** Makes randomness from a seed: sfc32, started by splitmix32. Not for secrets. */
export function createSeededRandom(seed: number | string): SeededRandom {
  return new Sfc32(typeof seed === "number" ? String(seed) : seed);
}

class Sfc32 implements SeededRandom {
  readonly #seed: string;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: string) {
    this.#seed = seed;
    let mixed = hash(seed);
    const draw = () => {
      mixed = (mixed + 0x9e37_79b9) >>> 0;
      return scramble(mixed);
    };
    this.#a = draw();
    this.#b = draw();
    this.#c = draw();
    // The first numbers still resemble the seed.
    for (let i = 0; i < 12; i += 1) {
      this.#next32();
    }
  }

  next(): number {
    // 53 bits, as many as a double holds.
    const high = this.#next32() >>> 5;
    return (high * 0x400_0000 + (this.#next32() >>> 6)) / 2 ** 53;
  }

  hex(count: number): string {
    let text = "";
    while (text.length < 2 * count) {
      text += this.#next32().toString(16).padStart(8, "0");
    }
    return text.slice(0, 2 * count);
  }

  integer(below: number): number {
    return Math.floor(this.next() * below);
  }

  fork(name: string): SeededRandom {
    return new Sfc32(`${this.#seed}/${name}`);
  }

  #next32(): number {
    const result = (this.#a + this.#b + this.#counter) >>> 0;
    this.#counter = (this.#counter + 1) >>> 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0;
    return result;
  }
}

/** FNV-1a over the code units, then scrambled. */
function hash(text: string): number {
  let value = 0x811c_9dc5;
  for (let i = 0; i < text.length; i += 1) {
    value = Math.imul(value ^ text.charCodeAt(i), 0x0100_0193);
  }
  return scramble(value);
}

/** The finish of splitmix32. */
function scramble(value: number): number {
  let x = value ^ (value >>> 16);
  x = Math.imul(x, 0x21f0_aaad);
  x ^= x >>> 15;
  x = Math.imul(x, 0x735a_2d97);
  return (x ^ (x >>> 15)) >>> 0;
}

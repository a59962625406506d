/** Orders of the acceptors: the ways to name them. */
import type { Names } from "./copy.js";

/** Whether the acceptors of a state ascend in this order of their places. */
export function ascends(state: Int32Array, order: readonly number[]): boolean {
  for (let place = 1; place < order.length; place++) {
    const before = state[(order[place - 1] as number) + 1] as number;
    if (before > (state[(order[place] as number) + 1] as number)) return false;
  }
  return true;
}

/** Every order of 0 … n − 1; the first is the one that changes nothing. */
export function permutationsOf(n: number): number[][] {
  if (n === 0) return [[]];
  return permutationsOf(n - 1)
    .flatMap((order) =>
      Array.from({ length: n }, (_, place) => [
        ...order.slice(0, place),
        n - 1,
        ...order.slice(place),
      ]),
    )
    .sort((a, b) => (a.join() < b.join() ? -1 : 1));
}

/** The names that acceptors get when they stand in this order: who stands first is the first. */
export function namesIn(order: readonly number[], ids: readonly string[]): Names {
  return new Map(order.map((old, place) => [ids[old] ?? "", ids[place] ?? ""]));
}

/** A queue whose every operation costs the same however much waits in it. */

/** Places at the front that are empty before the array gives them back. */
const COMPACT_AT = 1024;

/** First in, first out. One owner. Plain fields: the explorer copies states field by field. */
export class Fifo<T> {
  private items: T[] = [];
  private head = 0;

  /** Items that wait. */
  get length(): number {
    return this.items.length - this.head;
  }

  /** The item at the front; undefined if none waits. */
  get first(): T | undefined {
    return this.items[this.head];
  }

  push(item: T): void {
    this.items.push(item);
  }

  /** Takes the item at the front. */
  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.items[this.head++];
    if (this.head >= COMPACT_AT && this.head * 2 >= this.items.length) this.compact();
    return item;
  }

  /** Puts items before all others, in their order. Cost: O(items) where as many were taken. */
  prepend(items: readonly T[]): void {
    if (items.length > this.head) {
      this.items = [...items, ...this.toArray()];
      this.head = 0;
      return;
    }
    this.head -= items.length;
    for (const [index, item] of items.entries()) this.items[this.head + index] = item;
  }

  /** The items, in order. */
  toArray(): T[] {
    return this.items.slice(this.head);
  }

  /** Makes a copy that shares the items alone. */
  clone(): Fifo<T> {
    const copy = new Fifo<T>();
    copy.items = this.toArray();
    return copy;
  }

  private compact(): void {
    this.items = this.toArray();
    this.head = 0;
  }
}

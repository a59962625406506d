/**
 * How long an answer takes, estimated from the answers that came: so that nothing is sent again
 * while its answer is merely slow.
 *
 * Source: RFC 6298 §2, the retransmission timer of TCP: a smoothed mean plus four times the
 * smoothed deviation. Differs: what was sent more than once is measured from its first copy without
 * an answer. That is too long where that copy was lost, and right where it was slow; leaving such
 * answers out, as TCP does, would never measure a system that is always slower than the least wait.
 */

/** A running estimate. One owner. Plain fields: the explorer copies states field by field. */
export class LatencyEstimate {
  private meanMs: number | null = null;
  private deviationMs = 0;

  /** Takes a measured time in, in milliseconds. */
  add(ms: number): void {
    if (this.meanMs === null) {
      this.meanMs = ms;
      this.deviationMs = ms / 2;
      return;
    }
    this.deviationMs += (Math.abs(ms - this.meanMs) - this.deviationMs) / 4;
    this.meanMs += (ms - this.meanMs) / 8;
  }

  /** Says how long to wait for an answer before it counts as lost, within these bounds. */
  waitMs(leastMs: number, mostMs: number): number {
    if (this.meanMs === null) return leastMs;
    return Math.min(mostMs, Math.max(leastMs, this.meanMs + 4 * this.deviationMs));
  }

  /** Makes a copy that shares nothing. */
  clone(): LatencyEstimate {
    const copy = new LatencyEstimate();
    copy.meanMs = this.meanMs;
    copy.deviationMs = this.deviationMs;
    return copy;
  }
}

/** Reads how this process stands: the lag of its event loop, and its heap. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import type { HealthMeter } from "../kernel/ports.js";

/**
 * Milliseconds between two samples of the event loop, which wake the process: the lag is read short
 * by as much at most, and a process counts as slow from a lag of five beacon intervals on.
 */
const resolutionMs = 100;

/** Makes the meter of this process. */
export function createHealthMeter(): HealthMeter & { close(): void } {
  const delays = monitorEventLoopDelay({ resolution: resolutionMs });
  delays.enable();
  return {
    read: () => {
      // The histogram holds the whole interval between two samples, in nanoseconds.
      const loopLagMs = Math.max(0, delays.max / 1e6 - resolutionMs);
      delays.reset();
      const { used_heap_size: heapUsedBytes, heap_size_limit: heapBytesMax } = getHeapStatistics();
      return { loopLagMs, heapUsedBytes, heapBytesMax };
    },
    close: () => void delays.disable(),
  };
}

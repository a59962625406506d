/** What the world does to a run, in words. */
import type { Fault, Weather } from "../plan/plan.js";

/** Most pairs of a partition that are spelled out. */
const PAIRS_MAX = 8;

/** Says what a fault does. */
export function faultText(fault: Fault): string {
  switch (fault.kind) {
    case "crash": {
      const when = fault.atWrite ? " while it writes" : "";
      const then = `unsynced: ${fault.fate}; back in ${fault.downMs} ms`;
      return `${fault.process} is to crash${when}; ${then}`;
    }
    case "crashSpeaking":
      return `${fault.process} is to crash after ${fault.messages} more messages`;
    case "behead":
      return `half of what the leader says is lost; it dies in ${fault.forMs} ms`;
    case "crashAll":
      return `everybody crashes; unsynced: ${fault.fate}; back in ${fault.downMs} ms`;
    case "stall":
      return `${fault.process} stalls for ${fault.forMs} ms`;
    case "slow":
      return `the leader's process stands for ${fault.lagMs} ms at a time, ${fault.forMs} ms long`;
    case "jump":
      return `the clock of ${fault.process} jumps ahead by ${fault.aheadMs} ms`;
    case "cut":
      return `${fault.process} is cut off for ${fault.forMs} ms`;
    case "broker":
      return `the broker is down for ${fault.forMs} ms`;
    case "payload":
      return `the server takes messages of ${fault.bytesMax} bytes for ${fault.forMs} ms`;
    case "partition":
      return `${fault.shape} partition for ${fault.forMs} ms: ${pairsText(fault.blocked)}`;
    case "weather":
      return `weather for ${fault.forMs} ms: ${weatherText(fault.weather)}`;
    case "slowDisk":
      return `syncs of ${fault.store} take ${fault.syncMs} ms more for ${fault.forMs} ms`;
    case "fullDisk":
      return `the disk of ${fault.store} is full for ${fault.forMs} ms`;
    case "failSync": {
      const left = fault.isWritten ? ", though it is written" : "";
      return `the next sync of ${fault.store} fails${left}`;
    }
    case "rot":
      return `a bit turns over on the disk of ${fault.acceptor}`;
    case "twin":
      return `a second process starts with the roles and stores of ${fault.process}`;
    case "copy":
      return `a process starts on copies of the stores of ${fault.process}`;
    case "olderCopy":
      return `the store of ${fault.acceptor} as it is now will be put back in ${fault.backMs} ms`;
    case "lie":
      return `somebody signs as an elector and lies for ${fault.forMs} ms`;
    case "wrongNumbers": {
      const share = `${Math.round(fault.share * 1000) / 10} %`;
      return `${share} of the watermarks and rounds arrive wrong for ${fault.forMs} ms`;
    }
    case "clientCrash":
      return `client ${fault.client} dies`;
    case "crowd":
      return `strangers open ${fault.sessions} sessions`;
    case "move":
      return `the roles of ${fault.process} go to ${fault.to}`;
    case "add":
      return `one more ${fault.role}: ${fault.name}`;
  }
}

function weatherText({ loss, repeat, reorder, late, flip = 0 }: Weather): string {
  const percent = (part: number) => `${Math.round(part * 1000) / 10} %`;
  const lost = `${percent(loss)} lost, ${percent(repeat)} repeated`;
  const damaged = flip === 0 ? "" : `, ${percent(flip)} damaged`;
  return `${lost}, ${percent(reorder)} overtaken, ${percent(late)} late${damaged}`;
}

function pairsText(pairs: readonly (readonly [string, string])[]): string {
  const few = pairs.slice(0, PAIRS_MAX).map(([from, to]) => `${from} ↛ ${to}`);
  const more = pairs.length - few.length;
  return few.join(", ") + (more > 0 ? ` and ${more} more` : "");
}

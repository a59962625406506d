/**
 * Who hears whom: asked for it, a process asks all processes of its cluster for a sign, and says
 * whose came.
 *
 * Why ask and not remember: a proposer that stands by says nothing for hours, so its silence shows
 * nothing; and what was heard a minute ago may be cut off by now.
 */

import { doorSubject, type Space } from "../kernel/bus/subject.js";
import type { Clock, Headers, Transport } from "../kernel/ports.js";
import type { Runner } from "../kernel/runner.js";

/** Milliseconds that a sign may take. */
const signMs = 250;
/** Most processes that are named. */
const processesMax = 1024;

const headers: Headers = { "Synod-Reply": "1" };

/** What one process answers to `hearing`. */
export interface ProcessHearing {
  readonly process: string;
  readonly pid: number;
  readonly server: string;
  /** The processes that it hears; itself among them, unless it could not ask. */
  readonly hears: readonly string[];
  readonly roles: readonly { readonly role: string; readonly id: string }[];
}

/** What it is built from. */
export interface HearingParts {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly space: Space;
  /** This process, 16 hexadecimal digits. */
  readonly nonce: string;
}

/** Gives signs of one process, and asks for those of others. */
export class Hearing {
  readonly #parts: HearingParts;
  readonly #subject: string;
  /** Those who ask while a question is under way share its answer. */
  #asking: Promise<readonly string[]> | undefined;

  constructor(parts: HearingParts) {
    this.#parts = parts;
    this.#subject = doorSubject(parts.space, "ctl.sign");
  }

  /** Gives a sign whenever a process asks for it. @returns ends it */
  start(): () => void {
    const { transport, nonce } = this.#parts;
    const sign = new TextEncoder().encode(nonce);
    return transport.subscribe(this.#subject, ({ reply }) => {
      if (reply !== undefined) transport.publish(reply, sign, { headers });
    });
  }

  /** Asks for signs, and says for the roles of this process whose came. */
  async report(runners: readonly Runner[], server: string): Promise<ProcessHearing> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    const hears = await this.#asking;
    const roles = runners
      .filter(({ halted }) => halted === null)
      .map(({ definition, id }) => ({ role: definition.name, id }));
    return { process: this.#parts.nonce, pid: process.pid, server, hears, roles };
  }

  /**
   * Asks. A process could ask if the server took its question and the subscription to the answers,
   * and answered a round trip behind them in time. A busy process does not read that in time.
   */
  #ask(): Promise<readonly string[]> {
    const { transport, clock, nonce } = this.#parts;
    return new Promise((resolve) => {
      const heard = new Set<string>();
      const inbox = transport.newInbox();
      let wasTaken = false;
      let isDenied = false;
      const ends = [
        transport.subscribe(inbox, ({ headers: of, payload }) => {
          if (of?.["Synod-Reply"] !== "1" || heard.size >= processesMax) return;
          heard.add(new TextDecoder().decode(payload.subarray(0, 16)));
        }),
        transport.onStatus((status) => {
          if (status.kind !== "denied") return;
          const { operation, subject } = status;
          if (subject === (operation === "publish" ? this.#subject : inbox)) isDenied = true;
        }),
      ];
      transport.publish(this.#subject, new Uint8Array(0), { reply: inbox });
      const taken = () => {
        wasTaken = true;
      };
      transport.flush().then(taken, () => {});
      clock.setTimer(signMs, () => {
        for (const end of ends) end();
        // Its own sign, which it may receive or not, shows nothing.
        heard.delete(nonce);
        if (wasTaken && !isDenied) heard.add(nonce);
        resolve([...heard].sort());
      });
    });
  }
}

import type { NatsConnection } from "nats";
import { type Dial, dial } from "./dial.js";
import { explain, type NatsConnectError } from "./errors.js";
import type { DialPlan } from "./options.js";

/** Milliseconds between two dials that only ask for a server's limit. */
const checkPauseMs = 5_000;

/**
 * Makes connections: tries the servers it was given and those they told of.
 *
 * Why our own loop: the client's loop cannot be stopped while it dials, does not say why it waits,
 * and hangs on a frozen server (README.md).
 */
export class Dialer {
  readonly #plan: DialPlan;
  /** `host:port` in the order to try. */
  #servers: string[];
  /** Servers that others told of; forgotten when nobody tells of them any more. */
  #told: readonly string[] = [];
  #isStopped = false;
  /** When a server may next be asked for its limit. */
  #nextCheckMs = 0;
  /** Whether any connection was ever made: then a refusal may pass, as an outage does. */
  #hasConnected = false;
  #wake: (() => void) | undefined;
  /** The last attempt. */
  #dial: Dial | undefined;

  constructor(plan: DialPlan) {
    this.#plan = plan;
    this.#servers = this.#order(plan.servers);
  }

  /** The servers that were named. */
  get servers(): readonly string[] {
    return this.#plan.servers.map((server) => `nats://${server}`);
  }

  /** Says what is wrong with servers. */
  explain(error: unknown, servers: readonly string[]): NatsConnectError {
    return explain(error, servers, this.#plan.chosenBy);
  }

  /** Rounds over all servers after a loss; -1 is without end, 0 none. */
  get roundsMax(): number {
    return this.#plan.roundsMax;
  }

  /**
   * Tries every server once, one after the other.
   *
   * @throws NatsConnectError that names them; `not_authorized` only if each refused the credentials
   */
  async once(): Promise<NatsConnection> {
    const failures: { readonly server: string; readonly error: NatsConnectError }[] = [];
    for (const server of this.#servers) {
      // What fails here is the same for every server, and has its sentence already.
      const client = await this.#plan.freshClient();
      try {
        this.#dial = dial({ ...client, servers: [server] });
        const connection = await this.#dial.connection;
        this.#hasConnected = true;
        return connection;
      } catch (error) {
        failures.push({ server, error: this.explain(error, [`nats://${server}`]) });
      }
      if (this.#isStopped) {
        break;
      }
    }
    const hopeful = failures.filter(({ error }) => !isFinal(error));
    const told = hopeful.length === 0 ? failures : hopeful;
    throw this.explain(
      told[0]?.error.cause,
      told.map(({ server }) => `nats://${server}`),
    );
  }

  /**
   * Tries until there is a connection.
   *
   * @param waiting hears why there is none yet; each new reason once
   * @returns undefined if stopped meanwhile
   * @throws NatsConnectError if trying on is useless: there was never a connection and the
   * credentials are refused or missing, or no rounds are left
   */
  async untilConnected(
    roundsMax: number,
    waiting: (reason: NatsConnectError) => void,
  ): Promise<NatsConnection | undefined> {
    let told = "";
    for (let round = 1; !this.#isStopped; round += 1) {
      try {
        const connection = await this.once();
        if (!this.#isStopped) {
          return connection;
        }
        await connection.close();
      } catch (error) {
        const reason = error as NatsConnectError;
        if ((!this.#hasConnected && isFinal(reason)) || round === roundsMax) {
          throw reason;
        }
        if (reason.message !== told && !this.#isStopped) {
          told = reason.message;
          waiting(reason);
        }
        await this.#pause();
      }
    }
    return undefined;
  }

  /**
   * Asks a server for the limit that it has now, by a connection that is closed again: a server
   * tells those that are connected of no new one. Does nothing if it was asked a moment ago.
   */
  checkPayloadBytesMax(connection: NatsConnection): void {
    const nowMs = performance.now();
    if (nowMs < this.#nextCheckMs) return;
    this.#nextCheckMs = nowMs + checkPauseMs;
    void this.#payloadBytesMaxOf(connection.getServer()).then((bytes) => {
      const { info } = connection;
      // The client refuses by what it read last, and reads no more until it dials.
      if (bytes !== undefined && info !== undefined) info.max_payload = bytes;
    });
  }

  /** Notes which servers a connection knows of. */
  learn(connection: NatsConnection): void {
    if (this.#plan.client.ignoreClusterUpdates === true) {
      return;
    }
    const told = connection.info?.connect_urls ?? [];
    const gone = this.#told.filter((server) => !told.includes(server));
    const stay = this.#servers.filter(
      (server) => this.#plan.servers.includes(server) || !gone.includes(server),
    );
    this.#told = told;
    this.#servers = [...new Set([...stay, ...told])];
  }

  /** Puts a server that was lost at the end, the others before it in any order. */
  lost(server: string): void {
    const others = this.#order(this.#servers.filter((each) => each !== server));
    this.#servers = this.#servers.includes(server) ? [...others, server] : others;
  }

  /** Ends `untilConnected`. */
  stop(): void {
    this.#isStopped = true;
    this.#wake?.();
    this.#dial?.abort();
  }

  /** Reads the limit of a server; undefined if there was no connection. */
  async #payloadBytesMaxOf(server: string): Promise<number | undefined> {
    try {
      const client = await this.#plan.freshClient();
      const connection = await dial({ ...client, servers: [server] }).connection;
      const bytes = connection.info?.max_payload;
      await connection.close();
      return bytes;
    } catch {
      return undefined;
    }
  }

  #pause(): Promise<void> {
    if (this.#isStopped) {
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#plan.pauseMs());
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #order(servers: readonly string[]): string[] {
    if (!this.#plan.isShuffled) {
      return [...servers];
    }
    return servers
      .map((server) => ({ server, at: Math.random() }))
      .sort((a, b) => a.at - b.at)
      .map(({ server }) => server);
  }
}

/** Whether another try cannot help, unless somebody mends the credentials meanwhile. */
function isFinal({ code }: NatsConnectError): boolean {
  return code === "not_authorized" || code === "missing_file";
}

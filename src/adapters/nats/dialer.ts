import { checkServerIdentity, type PeerCertificate } from "node:tls";
import { type ConnectionOptions, ErrorCode, type NatsConnection } from "nats";
import { type Address, Addresses, hostOf } from "./addresses.js";
import { type Dial, dial } from "./dial.js";
import { explain, NatsConnectError } from "./errors.js";
import { type DialPlan, noCredentials } from "./options.js";
import { race } from "./race.js";

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
  readonly #addresses: Addresses;
  #isStopped = false;
  /** When a server may next be asked for its limit. */
  #nextCheckMs = 0;
  /** Whether any connection was ever made: then a refusal may pass, as an outage does. */
  #hasConnected = false;
  /** Ends the pause, or the wait for credentials. */
  #wake: (() => void) | undefined;
  /** The dials under way. */
  #dial: Dial | undefined;
  readonly #servers = new WeakMap<NatsConnection, Address>();

  constructor(plan: DialPlan) {
    this.#plan = plan;
    this.#addresses = new Addresses(plan.servers, plan.isShuffled);
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

  /** Servers that were dialled and never answered, each `nats://host:port`. */
  get silentServers(): readonly string[] {
    return this.#addresses.silent.map((host) => `nats://${host}`);
  }

  /** Tries every server once, as `once` does, or until the signal ends that. */
  async first(signal: AbortSignal | undefined): Promise<NatsConnection> {
    const stop = () => this.stop();
    signal?.addEventListener("abort", stop, { once: true });
    if (signal?.aborted === true) {
      stop();
    }
    try {
      return await this.once();
    } finally {
      signal?.removeEventListener("abort", stop);
    }
  }

  /**
   * Tries every server once: several at a time, and the first that answers wins.
   *
   * @throws NatsConnectError that names them; `not_authorized` only if each refused the credentials
   */
  async once(): Promise<NatsConnection> {
    // What fails here is the same for every server, and has its sentence already.
    const client = await this.#freshClient();
    const servers = this.#addresses.inOrder();
    const failures: Failure[] = [];
    const fail = (index: number, cause: unknown) => {
      const { host } = servers[index] as Address;
      const server = `nats://${host}`;
      const error = this.explain(cause, [server]);
      failures.push({ server, error });
      if (error.code === "unreachable") this.#addresses.unanswered(host);
      else if (error.code !== "machine_limit") this.#addresses.answered(host);
    };
    const start = (index: number) => {
      const server = servers[index] as Address;
      const one = dial(optionsFor(server, client));
      one.connection.then(
        (made) => this.#servers.set(made, server),
        () => {},
      );
      return one;
    };
    this.#dial = race({
      count: this.#isStopped ? 0 : servers.length,
      headStartMs,
      start,
      failed: fail,
      overtaken: (index) => fail(index, timedOut()),
    });
    try {
      const connection = await this.#dial.connection;
      this.#hasConnected = true;
      const server = this.#servers.get(connection) as Address;
      this.#addresses.answered(server.host);
      return connection;
    } catch {
      throw this.#explainAll(failures, servers);
    }
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
    const server = this.#servers.get(connection);
    if (server === undefined) return;
    void this.#payloadBytesMaxOf(server).then((bytes) => {
      const { info } = connection;
      // The client refuses by what it read last, and reads no more until it dials.
      if (bytes !== undefined && info !== undefined) info.max_payload = bytes;
    });
  }

  /** Notes which servers a connection knows of. */
  learn(connection: NatsConnection): void {
    const by = this.#servers.get(connection);
    const { info } = connection;
    if (this.#plan.client.ignoreClusterUpdates === true || by === undefined) return;
    const { tls_required: mustEncrypt, tls_available: mayEncrypt } = info ?? {};
    const isOverTls =
      mustEncrypt === true || (mayEncrypt === true && this.#plan.client.tls !== null);
    this.#addresses.learn({ by, isOverTls, hosts: info?.connect_urls ?? [] });
  }

  /** Notes that a connection ended: its server is tried after others. */
  lost(connection: NatsConnection): void {
    const server = this.#servers.get(connection);
    if (server !== undefined) this.#addresses.lost(server.host);
  }

  /** Ends `once` and `untilConnected`. */
  stop(): void {
    this.#isStopped = true;
    this.#wake?.();
    this.#dial?.abort();
  }

  /** Reads the limit of a server; undefined if there was no connection. */
  async #payloadBytesMaxOf(server: Address): Promise<number | undefined> {
    try {
      const client = await this.#plan.freshClient();
      const connection = await dial(optionsFor(server, client)).connection;
      const bytes = connection.info?.max_payload;
      await connection.close();
      return bytes;
    } catch {
      return undefined;
    }
  }

  #explainAll(failures: readonly Failure[], servers: readonly Address[]): NatsConnectError {
    const hopeful = failures.filter(({ error }) => !isFinal(error));
    const told = hopeful.length === 0 ? failures : hopeful;
    const first = told[0];
    if (first === undefined) {
      const all = servers.map(({ host }) => `nats://${host}`);
      return this.explain(timedOut(), all);
    }
    const those = told.map(({ server }) => server);
    return this.explain(first.error.cause, those);
  }

  /** Asks for options with the credentials of the moment, which may never come. */
  #freshClient(): Promise<ConnectionOptions> {
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        clearTimeout(timer);
        reject(new NatsConnectError("not_authorized", `${noCredentials} does not answer`));
      };
      const timer = setTimeout(giveUp, credentialsMsMax);
      this.#wake = giveUp;
      if (this.#isStopped) giveUp();
      this.#plan
        .freshClient()
        .finally(() => clearTimeout(timer))
        .then(resolve, reject);
    });
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
}

/** Why a server gave no connection. */
interface Failure {
  readonly server: string;
  readonly error: NatsConnectError;
}

/** Milliseconds that a function which gives credentials may take. */
const credentialsMsMax = 10_000;
/** Milliseconds until the next server is dialled beside one that has not answered. */
const headStartMs = 250;

/**
 * Options to dial one server: under the name that its certificate bears, or as the IP address.
 *
 * Why the latter: Node takes the name "localhost" for an IP address behind an upgraded socket.
 */
function optionsFor({ host, tlsName, isToldOverTls }: Address, client: ConnectionOptions) {
  const servers = [host];
  if (!isToldOverTls && (client.tls ?? undefined) === undefined) return { ...client, servers };
  // The client hands on what Node's TLS understands, but does not declare it.
  const given: NonNullable<ConnectionOptions["tls"]> & { servername?: string } = { ...client.tls };
  const isNamed = (tlsName ?? given.servername) !== undefined;
  const check = (_: string, certificate: PeerCertificate) =>
    checkServerIdentity(hostOf(host), certificate);
  const identity = isNamed ? { servername: tlsName } : { checkServerIdentity: check };
  return { ...client, servers, tls: { ...identity, ...given } };
}

/** What stands for a server that had not answered when the race ended. */
function timedOut(): Error {
  return Object.assign(new Error("no answer yet"), { code: ErrorCode.Timeout });
}

/** Whether another try cannot help, unless somebody mends the credentials meanwhile. */
function isFinal({ code }: NatsConnectError): boolean {
  return code === "not_authorized" || code === "missing_file";
}

import { isIP } from "node:net";

/** A server that may be dialled. */
export interface Address {
  /** `host:port`. */
  readonly host: string;
  /** The name its certificate must bear; undefined for an address without one. */
  readonly tlsName: string | undefined;
  /** Set for one that another server told of over TLS: it is dialled over TLS, too. */
  readonly isToldOverTls: boolean;
}

/** What a connection tells of other servers. */
export interface Told {
  /** The server that tells. */
  readonly by: Address;
  readonly isOverTls: boolean;
  /** Each `host:port`. */
  readonly hosts: readonly string[];
}

/**
 * The servers that were named, and those that servers told of, in the order to try.
 *
 * Order: those that answered or were not tried yet, the lost one, those that never answered; among
 * these the named ones first.
 */
export class Addresses {
  readonly #named: readonly Address[];
  readonly #isShuffled: boolean;
  /** Forgotten when nobody tells of them any more. */
  #told: readonly Address[] = [];
  #lost: string | undefined;
  readonly #answered = new Set<string>();
  readonly #unanswered = new Set<string>();

  constructor(named: readonly string[], isShuffled: boolean) {
    this.#named = [...new Set(named)].map((host) => ({
      host,
      tlsName: nameIn(host),
      isToldOverTls: false,
    }));
    this.#isShuffled = isShuffled;
  }

  /** Those that were dialled and never answered. */
  get silent(): readonly string[] {
    return this.#all.map(({ host }) => host).filter((host) => this.#isSilent(host));
  }

  /** All of them, in the order to try. */
  inOrder(): readonly Address[] {
    const named = new Set(this.#named);
    return this.#all
      .map((address, index) => {
        const { host } = address;
        const isLast = this.#isSilent(host) ? 2 : host === this.#lost ? 1 : 0;
        const rank = 2 * isLast + (named.has(address) ? 0 : 1);
        return { address, rank, at: this.#isShuffled ? Math.random() : index };
      })
      .sort((a, b) => a.rank - b.rank || a.at - b.at)
      .map(({ address }) => address);
  }

  /**
   * Notes what a server tells, instead of what was told before.
   *
   * An IP address is dialled under the name of the server that told of it, which leads back to one
   * that a person named: certificates of a NATS cluster are made for names, and servers tell of
   * IP addresses. A name that a server advertises is dialled under that name.
   */
  learn({ by, isOverTls, hosts }: Told): void {
    const named = new Set(this.#named.map(({ host }) => host));
    this.#told = [...new Set(hosts)]
      .filter((host) => !named.has(host))
      .map((host) => ({
        host,
        tlsName: nameIn(host) ?? by.tlsName,
        isToldOverTls: isOverTls,
      }));
  }

  /** Notes the server whose connection ended: it is tried after others. */
  lost(host: string): void {
    this.#lost = host;
  }

  answered(host: string): void {
    this.#answered.add(host);
  }

  unanswered(host: string): void {
    this.#unanswered.add(host);
  }

  get #all(): readonly Address[] {
    return [...this.#named, ...this.#told];
  }

  #isSilent(host: string): boolean {
    return this.#unanswered.has(host) && !this.#answered.has(host);
  }
}

/** The name or IP address in `host:port`. */
export function hostOf(address: string): string {
  return address.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
}

/** The name in `host:port`; undefined for an IP address. */
function nameIn(address: string): string | undefined {
  const host = hostOf(address);
  return isIP(host) === 0 ? host : undefined;
}

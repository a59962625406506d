/** A client of the cluster that the options name, for one command. */

import { createCodec } from "../adapters/msgpackr/codec.js";
import { createClock, createRandom } from "../adapters/node/clock.js";
import { Asker } from "../client/asker.js";
import type { Client } from "../client/client.js";
import { openClient } from "../client/connect.js";
import type { Space } from "../kernel/bus/subject.js";
import { type ConnectionFlags, connectTo, findPlace, type Place } from "./connection.js";
import { usage } from "./failure.js";

/** An open client and where it is. */
export interface OpenClient {
  readonly synod: Client;
  /** Asks the cluster what the client does not. */
  readonly asker: Asker;
  readonly space: Space;
  /** The server, without credentials. */
  readonly server: string;
}

/** Milliseconds to wait for any process of the cluster. */
const findMsMax = 3000;

/** Opens a client for the time of `use`. @throws NatsConnectError, SynodError */
export async function withClient<T>(
  flags: ConnectionFlags,
  use: (client: OpenClient) => Promise<T>,
): Promise<T> {
  return useClient(await findPlace(flags), use);
}

/** Opens a client at a place for the time of `use`. */
export async function useClient<T>(
  place: Pick<Place, "nats" | "space">,
  use: (client: OpenClient) => Promise<T>,
): Promise<T> {
  const { space } = place;
  const transport = await connectTo(place);
  const ports = { transport, clock: createClock(), random: createRandom(), createCodec };
  try {
    const synod = await openClient(ports, { ...space, timeoutMs: findMsMax });
    try {
      const asker = new Asker({ ...ports, count: () => {} });
      return await use({ synod, asker, space, server: shownServer(place) });
    } finally {
      await synod.close();
    }
  } finally {
    await transport.close();
  }
}

/** The server of a place for people, without credentials. */
export function shownServer({ nats }: Pick<Place, "nats">): string {
  const servers = [nats.servers ?? "nats://127.0.0.1:4222"].flat().join(",");
  return servers.replaceAll(/\/\/[^@/,]*@/g, "//");
}

/** Reads `--timeout`, in milliseconds. */
export function readTimeout(text: string): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value > 0) return value;
  throw usage(`--timeout must be a number of milliseconds above 0, not ${JSON.stringify(text)}`);
}

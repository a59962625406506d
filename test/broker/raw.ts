import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** CONNECT as the `nats` client sends it. */
export const hello = 'CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\n';

/** A bare socket to a broker that keeps what it hears. */
export interface RawClient {
  readonly socket: Socket;
  /** Everything heard so far without the INFO line, as latin1. */
  heard(): string;
  /** Resolves when what was heard contains `text`; rejects when the connection closes first. */
  until(text: string): Promise<string>;
  /** Resolves with everything heard when the other side closed. */
  closed(): Promise<string>;
}

/** Connects and waits for INFO. */
export async function rawConnect(port: number): Promise<RawClient> {
  const socket = connect({ host: "127.0.0.1", port });
  let text = "";
  let isClosed = false;
  const changed = new EventTarget();
  const change = () => changed.dispatchEvent(new Event("change"));
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
    change();
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    isClosed = true;
    change();
  });
  const client: RawClient = {
    socket,
    heard: () => text.replace(/^INFO .*\r\n/, ""),
    until: async (wanted) => {
      while (!text.includes(wanted)) {
        if (isClosed) {
          throw new Error(`closed before ${JSON.stringify(wanted)}; heard ${JSON.stringify(text)}`);
        }
        await once(changed, "change");
      }
      return client.heard();
    },
    closed: async () => {
      while (!isClosed) {
        await once(changed, "change");
      }
      return client.heard();
    },
  };
  await client.until("INFO ");
  return client;
}

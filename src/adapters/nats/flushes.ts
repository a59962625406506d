import type { NatsConnection } from "nats";
import { NatsConnectError } from "./errors.js";

/** Flushes under way: each ends with the server's answer, or with the connection. */
export class Flushes {
  readonly #fails = new Set<() => void>();

  /** Makes a round trip. @throws NatsConnectError `disconnected`, by rejecting */
  flush(connection: NatsConnection | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = () => {
        this.#fails.delete(fail);
        reject(new NatsConnectError("disconnected", "disconnected: messages may be lost"));
      };
      if (connection === undefined) {
        fail();
        return;
      }
      this.#fails.add(fail);
      const succeed = () => {
        this.#fails.delete(fail);
        resolve();
      };
      connection.flush().then(succeed, fail);
    });
  }

  /** Rejects all of them: the connection is gone. */
  disconnected(): void {
    for (const fail of [...this.#fails]) {
      fail();
    }
  }
}

/** Connects a worker to its server, however long that takes. */

import { NatsConnectError } from "../adapters/nats/errors.js";
import type { NatsOptions } from "../adapters/nats/given.js";
import { connectNats } from "../adapters/nats/transport.js";
import type { Logger, Transport } from "../kernel/ports.js";

/** What a worker says of its connection. */
interface PatientOptions {
  readonly nats?: NatsOptions | undefined;
  readonly logger?: Logger | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Connects without limit of time, and says why it waits. */
export async function connectPatiently({ nats, logger, signal }: PatientOptions) {
  const transport = await connectNats({
    name: "synod worker",
    ...nats,
    // Its roles reach each other without the server, and drop what came from their own process.
    noEcho: nats?.noEcho ?? true,
    waitOnFirstConnect: true,
    onWaiting: (reason) => logger?.warn({ code: reason.code }, `waiting: ${reason.message}`),
  });
  return new Promise<{ transport: Transport; server: string }>((resolve, reject) => {
    const abort = () => {
      void transport.close();
      reject(new Error("stopped before there was a connection"));
    };
    const end = transport.onStatus((status) => {
      if (status.kind !== "connected" && status.kind !== "closed") return;
      end();
      signal?.removeEventListener("abort", abort);
      if (status.kind === "connected") resolve({ transport, server: status.server });
      else reject(new NatsConnectError("not_authorized", status.reason ?? "no connection"));
    });
    if (signal?.aborted === true) abort();
    signal?.addEventListener("abort", abort, { once: true });
    if (transport.connected) {
      // An open connection that was given.
      end();
      resolve({ transport, server: "given" });
    }
  });
}

import { connect } from "node:net";
import { ErrorCode, NatsError } from "nats";
import { unquoted } from "./reports.js";

/** What an attempt fails with when the other side ends it after it was accepted. */
const cutOff: readonly unknown[] = ["EPIPE", "ECONNRESET", ErrorCode.Disconnect];

/** Milliseconds a server has to greet and to say why it hangs up. */
const listenMsMax = 500;
/** Bytes of a greeting and an error, at most. */
const greetingBytesMax = 65_536;

/**
 * Puts the server's own words in the place of the error of a socket that it closed.
 *
 * Why a server that said nothing is asked again: one with too many connections greets, says so and
 * closes. The client has written by then; its bytes meet a closed socket, and the reset throws away
 * the sentence before it is read. Who only listens gets it.
 *
 * @param said the end of what the server said
 * @returns an error in the server's words, or the one that was there
 */
export async function lastWords(error: unknown, said: string, servers: unknown): Promise<unknown> {
  const [server] = [servers].flat();
  if (!isCutOff(error as NatsError) || typeof server !== "string") {
    return error;
  }
  const words = wordsIn(said) ?? (await listenTo(server));
  return words === undefined ? error : new NatsError(words, ErrorCode.ProtocolError);
}

/** The words of an `-ERR` line that is complete. */
function wordsIn(said: string): string | undefined {
  const words = /^-ERR (.*?)\r?\n/m.exec(said)?.[1];
  return words === undefined ? undefined : unquoted(words);
}

function isCutOff({ code, chainedError }: NatsError): boolean {
  // The client calls a connection refused, too, that was accepted and closed without an error.
  const isClosed =
    code === ErrorCode.ConnectionRefused &&
    (chainedError as NodeJS.ErrnoException | undefined)?.code !== "ECONNREFUSED";
  return isClosed || cutOff.includes(code);
}

/** Connects without writing. @returns the words of an `-ERR` that comes by itself */
function listenTo(server: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const { hostname, port } = new URL(`nats://${server}`);
    const host = hostname.replace(/^\[(.*)\]$/, "$1");
    const socket = connect({ host, port: Number(port) });
    let text = "";
    const end = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(wordsIn(text));
    };
    const timer = setTimeout(end, listenMsMax);
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      if (text.length > greetingBytesMax || wordsIn(text) !== undefined) {
        end();
      }
    });
    socket.on("error", end);
    socket.on("close", end);
  });
}

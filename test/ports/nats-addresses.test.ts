/**
 * Goal: whoever named a server reaches the cluster behind it, also over TLS, whichever server dies,
 * freezes or never answers; and what cannot be reached bounds no call beyond its own patience.
 * Method: real clustered servers with TLS, frozen ones (SIGSTOP), sockets that say nothing, names
 * that no DNS server answers for.
 */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { connect as connectSocket, createServer, type Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import type { NatsOptions } from "../../src/adapters/nats/given.js";
import { connectNats, type NatsTransport } from "../../src/adapters/nats/transport.js";
import { connect, StoppedError, UnavailableError } from "../../src/index.js";
import type { TransportStatus } from "../../src/kernel/ports.js";
import { startCluster } from "../../src/worker/start-cluster.js";
import { until } from "../cli/processes.js";
import { makeCertificates } from "../support/certificates.js";
import { answerNames } from "../support/dns-server.js";
import {
  findNatsServer,
  type NatsServerProcess,
  startNatsCluster,
  startNatsServer,
} from "../support/nats-server.js";

const quick = { reconnectTimeWait: 30, reconnectJitter: 10 } as const;
/** A dial that is not overtaken or aborted would outlast every test. */
const patient = { ...quick, timeout: 600_000, noRandomize: true } as const;
const found = await findNatsServer();

async function join(options: NatsOptions): Promise<[NatsTransport, () => string | undefined]> {
  const transport = await connectNats({ ...quick, ...options });
  onTestFinished(() => transport.close());
  let server: string | undefined;
  transport.onStatus((status: TransportStatus) => {
    server = status.kind === "connected" ? status.server : undefined;
  });
  return [transport, () => server];
}

async function serve(): Promise<NatsServerProcess> {
  const server = await startNatsServer();
  onTestFinished(() => server.stop());
  return server;
}

async function serveCluster(config = ""): Promise<NatsServerProcess[]> {
  const cluster = await startNatsCluster(3, undefined, config);
  onTestFinished(async () => void (await Promise.all(cluster.map((each) => each.stop()))));
  return cluster;
}

/** A socket that accepts and says nothing, and counts. */
async function mute(): Promise<{ readonly url: string; accepted: number }> {
  const counted = { url: "", accepted: 0 };
  const server = createServer((socket) => {
    counted.accepted += 1;
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  counted.url = `nats://127.0.0.1:${(server.address() as { port: number }).port}`;
  return counted;
}

/** A way to a server that begins after a while. */
async function slow({ port }: NatsServerProcess, delayMs: number): Promise<string> {
  const proxy = createServer((socket) => {
    const onward = () => {
      const upstream = connectSocket(port, "127.0.0.1");
      for (const each of [socket, upstream]) each.on("error", () => {});
      socket.pipe(upstream).pipe(socket);
    };
    setTimeout(onward, delayMs);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void proxy.close());
  return `nats://127.0.0.1:${(proxy.address() as { port: number }).port}`;
}

async function frozen(): Promise<NatsServerProcess> {
  const server = await serve();
  process.kill(server.pid, "SIGSTOP");
  onTestFinished(() => void process.kill(server.pid, "SIGCONT"));
  return server;
}

describe.skipIf("missing" in found)("TLS", () => {
  test("a server that another told of is dialled under the name that was given", async () => {
    const { ca, cert, key } = await makeCertificates("nats.test");
    onTestFinished(await answerNames("loopback"));
    const tls = `tls { cert_file: "${cert}", key_file: "${key}" }\n`;
    const cluster = await serveCluster(tls);
    const [first] = cluster;
    const servers = `tls://nats.test:${first!.port}`;
    const [, server] = await join({ servers, tls: { caFile: ca } });
    const others = cluster.slice(1).map(({ port }) => `nats://127.0.0.1:${port}`);
    first!.kill();
    await until(() => others.includes(server() ?? ""));
    // What the second one tells is dialled under that name, too.
    const second = server();
    cluster.find(({ url }) => url === second)!.kill();
    await until(() => others.includes(server() ?? "") && server() !== second);
  });

  test("a server that was given as an IP address needs no name in its certificate", async () => {
    const { ca, cert, key } = await makeCertificates("127.0.0.1");
    const cluster = await serveCluster(`tls { cert_file: "${cert}", key_file: "${key}" }\n`);
    const [first] = cluster;
    const servers = `tls://127.0.0.1:${first!.port}`;
    const [, server] = await join({ servers, tls: { caFile: ca } });
    first!.kill();
    const others = cluster.slice(1).map(({ url }) => url);
    await until(() => others.includes(server() ?? ""));
  });

  test("and an IP address that its certificate does not bear is refused", async () => {
    const { ca, cert, key } = await makeCertificates("127.0.0.2");
    const server = await startNatsServer({
      config: `tls { cert_file: "${cert}", key_file: "${key}" }\n`,
    });
    onTestFinished(() => server.stop());
    const servers = `tls://127.0.0.1:${server.port}`;
    await expect(connectNats({ servers, tls: { caFile: ca } })).rejects.toMatchObject({
      code: "tls",
      message: expect.stringContaining("is for another name or address (IP: 127.0.0.1"),
    });
  });

  test("and under no other: a certificate for another name is refused", async () => {
    const { ca, cert, key } = await makeCertificates("other.test");
    onTestFinished(await answerNames("loopback"));
    const tls = `tls { cert_file: "${cert}", key_file: "${key}" }\n`;
    const server = await startNatsServer({ config: tls });
    onTestFinished(() => server.stop());
    const servers = `tls://nats.test:${server.port}`;
    await expect(connectNats({ servers, tls: { caFile: ca } })).rejects.toMatchObject({
      code: "tls",
      message: expect.stringContaining("is for another name or address (Host: nats.test"),
    });
  });
});

describe.skipIf("missing" in found)("several addresses", () => {
  test("the next is dialled beside one that is frozen", async () => {
    const [stuck, good] = [await frozen(), await serve()];
    const [transport] = await join({ ...patient, servers: [stuck.url, good.url] });
    expect(transport.connected).toBe(true);
    expect(transport.silentServers).toEqual([stuck.url]);
  });

  test("one that a slow server before it left no time is not called silent", async () => {
    const dumb = await mute();
    const url = await slow(await serve(), 350);
    const [transport] = await join({ ...patient, servers: [url, dumb.url] });
    expect([dumb.accepted, transport.silentServers]).toEqual([1, []]);
  });

  test("one that never answered goes last, and is no longer silent once it answers", async () => {
    const dumb = await mute();
    const [first, second] = [await serve(), await serve()];
    const servers = [dumb.url, first.url, second.url];
    const [transport, server] = await join({ ...patient, timeout: 300, servers });
    expect([dumb.accepted, transport.silentServers]).toEqual([1, [dumb.url]]);
    first.kill();
    await until(() => transport.connected && server() === second.url);
    expect(dumb.accepted).toBe(1);
    second.kill();
    await until(() => dumb.accepted > 1);
    await serveAgain(first);
    await until(() => transport.connected);
    expect(transport.silentServers).toEqual([dumb.url]);
  });

  test("named servers come before those that were told of", async () => {
    const cluster = await serveCluster();
    const named = [cluster[0]!.url, cluster[1]!.url];
    const [, server] = await join({ servers: named, noRandomize: true });
    for (const [at, url] of [...named, ...named].entries()) {
      cluster[at % 2]!.kill();
      await until(() => server() !== undefined && server() !== url);
      expect(server()).toBe(named[(at + 1) % 2]);
      cluster[at % 2] = await serveAgain(cluster[at % 2]!);
    }
  });

  test("without discovery no told server is dialled", async () => {
    const cluster = await serveCluster();
    const [transport] = await join({ servers: cluster[0]!.url, ignoreClusterUpdates: true });
    cluster[0]!.kill();
    await until(() => !transport.connected);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(transport.connected).toBe(false);
  });

  test("what never answered shows in `status`, of workers and of the client", async () => {
    const [dumb, other, good] = [await mute(), await mute(), await serve()];
    const nats = { ...patient, servers: [dumb.url, good.url] };
    const running = await startCluster({
      transport: "nats",
      placement: "single",
      acceptors: 1,
      nats,
    });
    onTestFinished(() => running.stop());
    const own = { ...patient, servers: [other.url, good.url] };
    const synod = await connect({ cluster: "demo", nats: own });
    onTestFinished(() => synod.close());
    const { silentServers } = await synod.status();
    expect(silentServers).toEqual([dumb.url, other.url].sort());
  });
});

describe.skipIf("missing" in found)("`connect` ends by its own patience and signal", () => {
  const attempt = (nats: NatsOptions, call: { timeoutMs: number; signal?: AbortSignal }) =>
    connect({ cluster: "demo", nats: { ...patient, ...nats }, ...call }).catch(
      (error: unknown) => error,
    );

  test("when a server is frozen", async () => {
    const { url } = await frozen();
    const error = await attempt({ servers: url }, { timeoutMs: 200 });
    expect(error).toBeInstanceOf(UnavailableError);
    expect(String(error)).toContain(url);
    const reason = new Error("enough");
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 100);
    const call = { timeoutMs: Number.POSITIVE_INFINITY, signal: controller.signal };
    const stopped = await attempt({ servers: url }, call);
    expect(stopped).toBeInstanceOf(StoppedError);
    expect((stopped as Error).cause).toBe(reason);
  });

  test("when no DNS server answers; a name that is resolved later fails nowhere", async () => {
    const answerAgain = await answerNames("never");
    const servers = ["nats://slow.test:4222", "nats://slower.test:4222"];
    const error = await attempt({ servers }, { timeoutMs: 200 });
    expect(error).toBeInstanceOf(UnavailableError);
    expect(String(error)).toMatch(/nats:\/\/slow(er)?\.test:4222/);
    const failed: unknown[] = [];
    const fail = (reason: unknown) => void failed.push(reason);
    process.on("uncaughtExceptionMonitor", fail);
    onTestFinished(() => void process.off("uncaughtExceptionMonitor", fail));
    const late: Socket[] = [];
    const hear = (message: unknown) => void late.push((message as { socket: Socket }).socket);
    subscribe("net.client.socket", hear);
    onTestFinished(() => void unsubscribe("net.client.socket", hear));
    answerAgain();
    await until(() => late.length > 0 && late.every(({ closed }) => closed));
    expect(failed).toEqual([]);
  });
});

async function serveAgain(server: NatsServerProcess): Promise<NatsServerProcess> {
  const again = await server.again();
  onTestFinished(() => again.stop());
  return again;
}

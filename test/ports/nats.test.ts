/**
 * What the contract cannot say of the NATS adapter: how it finds, loses and changes servers, and
 * what it says then. Method: real servers, killed, frozen and configured.
 */
import { createServer } from "node:net";
import { connect } from "nats";
import { describe, expect, onTestFinished, test } from "vitest";
import type { NatsConnectError } from "../../src/adapters/nats/errors.js";
import type { NatsOptions } from "../../src/adapters/nats/given.js";
import { connectNats } from "../../src/adapters/nats/transport.js";
import { findNatsServer, startNatsCluster } from "../support/nats-server.js";
import { ask, join, listen, pass, quick, serve, until } from "../support/nats-transport.js";

const empty = new Uint8Array(0);

async function failure(options: NatsOptions): Promise<NatsConnectError> {
  const error = await connectNats(options).then(
    () => undefined,
    (reason: NatsConnectError) => reason,
  );
  return error!;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("a server that is not there", () => {
  test("fails at once with a sentence: where, why, what to do; no password in it", async () => {
    const port = await freePort();
    const error = await failure({ servers: `nats://ann:geheim@127.0.0.1:${port}` });
    expect(error.code).toBe("unreachable");
    expect(error.message).toBe(
      `no NATS server answers at nats://127.0.0.1:${port} (connection refused): start one there ` +
        "(nats-server), or say where it is (--nats nats://HOST:PORT, or NATS_URL)",
    );
  });

  test("names every server it tried, and an unknown host", async () => {
    const port = await freePort();
    const error = await failure({ servers: `127.0.0.1:${port},nats://nowhere.invalid:4222` });
    expect(error.message).toContain(`nats://127.0.0.1:${port}`);
    expect(error.message).toContain("nats://nowhere.invalid:4222");
  });

  test("something that is no NATS server, and one that says nothing", async () => {
    const web = createServer((socket) => void socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    let open = 0;
    const mute = createServer((socket) => {
      open += 1;
      socket.on("close", () => {
        open -= 1;
      });
      socket.resume();
    });
    for (const server of [web, mute]) {
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      onTestFinished(() => void server.close());
    }
    const portOf = (server: typeof web) => (server.address() as { port: number }).port;
    const wrong = await failure({ servers: `127.0.0.1:${portOf(web)}` });
    expect([wrong.code, wrong.message]).toEqual([
      "not_nats",
      `what answers at nats://127.0.0.1:${portOf(web)} is no NATS server: check the address`,
    ]);
    const silent = await failure({ servers: `127.0.0.1:${portOf(mute)}`, timeout: 100 });
    expect(silent.message).toContain("no answer in time");
    // The client would leave its socket open.
    await until(() => open === 0);
    const servers = `127.0.0.1:${portOf(mute)}`;
    const transport = await connectNats({ servers, waitOnFirstConnect: true });
    await until(() => open === 1);
    await transport.close();
    await until(() => open === 0);
  });

  test("waiting: returns unconnected, says why once, closes while it waits", async () => {
    const reasons: string[] = [];
    const servers = `127.0.0.1:${await freePort()}`;
    const onWaiting = ({ message }: NatsConnectError) => void reasons.push(message);
    const transport = await join({ servers, waitOnFirstConnect: true, onWaiting, ...quick });
    const statuses = listen(transport);
    expect(transport.connected).toBe(false);
    expect(transport.payloadBytesMax).toBe(1_048_576);
    await pass(150);
    expect(reasons).toEqual([expect.stringContaining("connection refused")]);
    await transport.drain();
    await pass(50);
    expect(statuses).toEqual([{ kind: "closed", reason: undefined }]);
  });
});

const found = await findNatsServer();
const withServer = describe.skipIf("missing" in found);

withServer("a server that comes later", () => {
  test("waiting: subscriptions made before count from the first connection on", async () => {
    const port = await freePort();
    const servers = `127.0.0.1:${port}`;
    const transport = await join({ servers, waitOnFirstConnect: true, ...quick });
    const statuses = listen(transport);
    const heard: string[] = [];
    transport.subscribe("early.*", ({ subject }) => void heard.push(subject));
    expect(await ask(transport, "early.x")).toEqual({ kind: "disconnected" });
    await serve({ port, config: "max_payload: 4096\n" });
    await until(() => statuses.length > 0);
    expect(statuses).toEqual([{ kind: "connected", server: `nats://127.0.0.1:${port}` }]);
    transport.publish("early.y", empty);
    await until(() => heard.length > 0);
    expect(heard).toEqual(["early.y"]);
    expect(transport.payloadBytesMax).toBe(4_096);
  });

  test("a server that was killed and started again, at once found", async () => {
    const first = await serve();
    const transport = await join({ servers: first.url, ...quick });
    const statuses = listen(transport);
    first.kill();
    await until(() => !transport.connected);
    await serve({ port: first.port });
    await until(() => transport.connected);
    const server = `nats://127.0.0.1:${first.port}`;
    expect(statuses).toEqual([{ kind: "disconnected" }, { kind: "connected", server }]);
  });

  test("a subscription that drains is over when the server is gone before it has", async () => {
    const server = await serve();
    const transport = await join({ ...quick, servers: server.url });
    const end = transport.subscribe("drained", () => {});
    await transport.flush();
    process.kill(server.pid, "SIGSTOP");
    let isOver = false;
    end(() => {
      isOver = true;
    });
    await pass(50); // what asks the server has left
    server.kill();
    await until(() => isOver);
  });

  test("rounds without success end it, if they are limited", async () => {
    const server = await serve();
    const transport = await join({ servers: server.url, ...quick, maxReconnectAttempts: 2 });
    const statuses = listen(transport);
    server.kill();
    await until(() => statuses.length === 2);
    expect(statuses.at(-1)).toMatchObject({
      kind: "closed",
      reason: expect.stringContaining("no NATS server answers"),
    });
  });
});

withServer("permissions", () => {
  const config = `
    ping_interval: "200ms"
    authorization { users: [
      { user: ann, password: "geheim123", permissions: {
        publish: { allow: ["ok.>", "_INBOX_ann.>"] },
        subscribe: { allow: ["ok.>", "_INBOX_ann.>"] } } }
      { user: root, password: "geheim456" }
    ] }\n`;

  test("refused credentials: a sentence without the password; waiting ends in closed", async () => {
    const { url, port } = await serve({ config });
    const error = await failure({ servers: url, user: "ann", pass: "falsch789" });
    expect(error.code).toBe("not_authorized");
    expect(error.message).toContain(`${url} refused the credentials (authorization violation)`);
    const all = `${error.message}${error.stack}${JSON.stringify(error.cause)}`;
    expect(all).not.toContain("falsch789");
    const servers = `nats://ann:falsch789@127.0.0.1:${port}`;
    const transport = await join({ servers, waitOnFirstConnect: true });
    const statuses = listen(transport);
    await until(() => statuses.length > 0);
    expect(statuses).toEqual([{ kind: "closed", reason: error.message }]);
  });

  test("what is denied is told with its subject; the rest goes on", async () => {
    const { port } = await serve({ config });
    const servers = `nats://ann:geheim123@127.0.0.1:${port}`;
    const transport = await join({ servers, inboxPrefix: "_INBOX_ann" });
    const statuses = listen(transport);
    const heard: string[] = [];
    transport.subscribe("no.entry", () => {}, { queue: "q" });
    transport.subscribe("ok.*", ({ subject }) => void heard.push(subject));
    transport.publish("no.way", empty);
    transport.publish("ok.go", empty);
    await transport.flush();
    await until(() => statuses.length === 2 && heard.length === 1);
    expect(statuses).toEqual([
      { kind: "denied", operation: "subscribe", subject: "no.entry" },
      { kind: "denied", operation: "publish", subject: "no.way" },
    ]);
    expect(await ask(transport, "no.way")).toMatchObject({ kind: "denied", subject: "no.way" });
    expect(await ask(transport, "ok.no.body")).toEqual({ kind: "no_responders" });
    expect(transport.connected).toBe(true);
  });

  test("a denied inbox: requests end with it, also later ones", async () => {
    const { port } = await serve({ config });
    const transport = await join({ servers: `nats://ann:geheim123@127.0.0.1:${port}` });
    const statuses = listen(transport);
    for (const _ of [1, 2]) {
      expect(await ask(transport, "ok.x")).toMatchObject({
        kind: "denied",
        operation: "subscribe",
        subject: expect.stringMatching(/^_INBOX\./),
      });
    }
    const denied = statuses.filter((status) => status.kind === "denied");
    expect(denied[0]).toMatchObject({
      operation: "subscribe",
      subject: expect.stringMatching(/^_INBOX\./),
    });
  });

  test("what was denied is asked for again with the next connection", async () => {
    const first = await serve({ config });
    const servers = `nats://ann:geheim123@127.0.0.1:${first.port}`;
    const transport = await join({ servers, ...quick });
    const statuses = listen(transport);
    let heardCount = 0;
    transport.subscribe("no.entry", () => {
      heardCount += 1;
    });
    await until(() => statuses.length === 1);
    first.kill();
    await until(() => !transport.connected);
    await serve({ port: first.port, config: config.replaceAll("ok.>", ">") });
    await until(() => transport.connected);
    transport.publish("no.entry", empty);
    await until(() => heardCount === 1);
  });
});

withServer("a cluster of three", () => {
  test("goes on when a server is killed, and when one freezes with unread bytes", async () => {
    const cluster = await startNatsCluster(3);
    onTestFinished(async () => void (await Promise.all(cluster.map((each) => each.stop()))));
    // Only the first is named; the others are learned from it.
    const options = { servers: cluster[0]!.url, ...quick, timeout: 200 };
    const a = await join({ ...options, pingInterval: 60 });
    const b = await join({ ...options, servers: cluster.map((each) => each.url).reverse() });
    const heard: number[] = [];
    b.subscribe("n.>", ({ payload }) => void heard.push(payload.length));
    const statuses = listen(a);
    const serverOfA = () => {
      const last = statuses.findLast((status) => status.kind === "connected");
      return cluster.find((each) => each.url === (last?.server ?? cluster[0]!.url))!;
    };
    const works = async () => {
      const before = heard.length;
      await until(() => {
        a.publish("n.x", empty);
        return heard.length > before;
      });
    };
    await works();
    serverOfA().kill();
    await until(() => statuses.some((status) => status.kind === "connected"));
    expect(serverOfA()).not.toBe(cluster[0]);
    await works();
    // The client alone would wait until the frozen server reads on.
    const frozen = serverOfA();
    process.kill(frozen.pid, "SIGSTOP");
    onTestFinished(() => void process.kill(frozen.pid, "SIGCONT"));
    for (let i = 0; i < 40; i += 1) {
      a.publish("n.big", new Uint8Array(500_000));
    }
    await until(() => serverOfA() !== frozen && a.connected);
  });
});

withServer("an open connection that was given", () => {
  test("is used, follows its own reconnections, and is left open", async () => {
    const server = await serve();
    const own = await connect({
      servers: server.url,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 30,
    });
    onTestFinished(() => own.close());
    const transport = await connectNats(own);
    const statuses = listen(transport);
    let heardCount = 0;
    transport.subscribe("given", () => {
      heardCount += 1;
    });
    expect(await ask(transport, "nobody")).toEqual({ kind: "no_responders" });
    server.kill();
    await until(() => !transport.connected);
    await serve({ port: server.port });
    await until(() => transport.connected);
    transport.publish("given", empty);
    await until(() => heardCount === 1);
    await transport.drain();
    expect(own.isClosed()).toBe(false);
    own.publish("given", empty);
    await own.flush();
    expect(heardCount).toBe(1);
    const kinds = statuses.map((status) => status.kind);
    expect(kinds).toEqual(["disconnected", "connected", "disconnected", "closed"]);
  });

  test("answers a request that comes when it is already ending", async () => {
    const server = await serve();
    for (const end of ["close", "drain"] as const) {
      const own = await connect({ servers: server.url });
      const transport = await join(own);
      const ended = own[end]();
      expect(await ask(transport, "anything")).toEqual({ kind: "disconnected" });
      await ended;
    }
  });

  test("is refused when closed; its end is ours", async () => {
    const server = await serve();
    const own = await connect({ servers: server.url });
    const transport = await join({ connection: own });
    const statuses = listen(transport);
    await own.close();
    await until(() => statuses.length === 2);
    expect(statuses[1]).toEqual({ kind: "closed", reason: "the given NATS connection was closed" });
    await expect(connectNats(own)).rejects.toThrow("the given NATS connection is closed");
  });
});

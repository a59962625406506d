/**
 * Goal: no error that a server or this machine reports is silent, and no message ends a process.
 * Method: real servers with limits and permissions that change, raw requests, a process with few
 * file handles. Facts about the servers' words are in src/adapters/nats/README.md.
 */
import { spawn } from "node:child_process";
import { connect as connectSocket } from "node:net";
import { connect as connectNewer } from "@nats-io/transport-node";
import { type ConnectionOptions, connect } from "nats";
import { describe, expect, onTestFinished, test } from "vitest";
import { explain, type NatsConnectError } from "../../src/adapters/nats/errors.js";
import type { NatsOptions, OpenConnection } from "../../src/adapters/nats/given.js";
import { connectNats } from "../../src/adapters/nats/transport.js";
import { findNatsServer } from "../support/nats-server.js";
import { ask, join, listen, pass, quick, serve, until } from "../support/nats-transport.js";

const empty = new Uint8Array(0);

async function failure(options: NatsOptions): Promise<NatsConnectError> {
  return connectNats(options).then(
    async (transport) => {
      await transport.close();
      throw new Error("it connected");
    },
    (reason: NatsConnectError) => reason,
  );
}

/** A connection of each generation of the client, as a user would hand it in. */
type Open = (options: ConnectionOptions) => Promise<OpenConnection & { close(): Promise<void> }>;
const generations: readonly { readonly name: string; readonly open: Open }[] = [
  { name: "nats", open: connect },
  { name: "@nats-io/transport-node", open: connectNewer },
];

async function given(open: Open, options: ConnectionOptions) {
  const own = await open(options);
  onTestFinished(() => own.close());
  return { own, transport: await connectNats(own) };
}

/** Sends one message with a header block as it is. */
async function publishRaw(port: number, subject: string, block: string, reply = ""): Promise<void> {
  const socket = connectSocket(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  const { length } = Buffer.from(block);
  socket.write('CONNECT {"verbose":false,"headers":true}\r\n');
  socket.write(`HPUB ${subject} ${reply} ${length} ${length}\r\n${block}\r\nPING\r\n`);
  await new Promise<void>((resolve) => {
    socket.on("data", (data) => {
      if (data.includes("PONG")) resolve();
    });
  });
}

/** Legal for every server we know; our client library refuses a space in a name. */
const oddBlock = "NATS/1.0\r\nodd name: x\r\n\r\n";

const found = await findNatsServer();
const withServer = describe.skipIf("missing" in found);

withServer("what a server refuses on a connection that stands", () => {
  test("too many subscriptions: ends it, with the limit and what is needed", async () => {
    const { url } = await serve({ config: "max_subscriptions: 3\n" });
    const transport = await join({ servers: url, ...quick });
    const statuses = listen(transport);
    for (const subject of ["a", "b", "c", "d", "e"]) transport.subscribe(subject, () => {});
    await until(() => statuses.some(({ kind }) => kind === "closed"));
    expect(statuses[0]).toEqual({ kind: "error", words: "maximum subscriptions exceeded" });
    expect(statuses.at(-1)).toEqual({
      kind: "closed",
      reason:
        `the NATS server at ${url} allows this connection too few subscriptions (maximum ` +
        "subscriptions exceeded): it needs 6: raise max_subscriptions of the server or the account",
    });
    expect(transport.connected).toBe(false);
  });

  test.each(generations)("too many, on a connection of $name", async ({ open }) => {
    const { url } = await serve({ config: "max_subscriptions: 3\n" });
    const { own, transport } = await given(open, { servers: url });
    const statuses = listen(transport);
    for (const subject of ["a", "b", "c", "d"]) transport.subscribe(subject, () => {});
    await until(() => statuses.some(({ kind }) => kind === "closed"));
    expect(statuses[0]).toMatchObject({ kind: "error", words: "maximum subscriptions exceeded" });
    expect(statuses.at(-1)).toMatchObject({ reason: expect.stringContaining("it needs 5") });
    expect(own.isClosed()).toBe(false);
  });

  test.each(generations)("another error, on a connection of $name", async ({ open }) => {
    const { url } = await serve();
    const { transport } = await given(open, { servers: url, pedantic: true });
    const statuses = listen(transport);
    transport.publish("a.*", empty);
    await until(() => statuses.length > 0);
    expect(statuses).toEqual([{ kind: "error", words: "Invalid Publish Subject" }]);
    expect(await ask(transport, "nobody")).toEqual({ kind: "no_responders" });
  });

  test.each(generations)("denials are told, on a connection of $name", async ({ open }) => {
    const { url } = await serve({ config: rights('deny: ["no.>"]') });
    const { transport } = await given(open, { servers: url, user: "ann", pass: "geheim" });
    const statuses = listen(transport);
    transport.subscribe("no.entry", () => {});
    transport.subscribe("no.group", () => {}, { queue: "q" });
    transport.publish("no.way", empty);
    await until(() => statuses.length >= 3);
    expect(statuses.slice(0, 3)).toEqual([
      { kind: "denied", operation: "subscribe", subject: "no.entry" },
      { kind: "denied", operation: "subscribe", subject: "no.group" },
      { kind: "denied", operation: "publish", subject: "no.way" },
    ]);
  });

  test.each(generations)("a denied request ends as that, on one of $name", async ({ open }) => {
    const config = rights('deny: ["no.>", "_INBOX.deaf.>"]');
    const { url } = await serve({ config });
    const user = { servers: url, user: "ann", pass: "geheim" };
    const { transport } = await given(open, user);
    expect(await ask(transport, "no.way", 60_000)).toEqual({
      kind: "denied",
      operation: "publish",
      subject: "no.way",
    });
    const deaf = await given(open, { ...user, inboxPrefix: "_INBOX.deaf" });
    transport.subscribe("yes", () => {});
    await transport.flush();
    for (const _ of [1, 2]) {
      expect(await ask(deaf.transport, "yes", 60_000)).toEqual({
        kind: "denied",
        operation: "subscribe",
        subject: expect.stringMatching(/^_INBOX\.deaf\.\w+\.\*$/),
      });
    }
    expect(await ask(transport, "nobody")).toEqual({ kind: "no_responders" });
  });
});

/** One user without limits but these on publishing and subscribing. */
function rights(limits: string): string {
  return `authorization { users: [ { user: ann, password: geheim, permissions: {
    publish: { ${limits} }, subscribe: { ${limits} } } } ] }\n`;
}

withServer("a right that is taken away for a while", () => {
  test("subscriptions stand again when it returns, while the connection stands", async () => {
    const server = await serve({ config: rights('allow: [">"]') });
    const transport = await join({ servers: server.url.replace("//", "//ann:geheim@") });
    const statuses = listen(transport);
    const heard: string[] = [];
    transport.subscribe("w.plain", () => void heard.push("plain"));
    transport.subscribe("w.group", () => void heard.push("one"), { queue: "q" });
    transport.subscribe("w.group", () => void heard.push("two"), { queue: "q" });
    await transport.flush();
    await server.reload(rights('allow: ["_INBOX.>"]'));
    const denied = () =>
      statuses.flatMap((status) => (status.kind === "denied" ? [status.subject] : []));
    await until(() => denied().includes("w.plain") && denied().includes("w.group"));
    await pass(800);
    await server.reload(rights('allow: [">"]'));
    const granted = () =>
      statuses.flatMap((status) => (status.kind === "granted" ? [status.subject] : []));
    await until(() => granted().length === 3);
    expect(granted().sort()).toEqual(["w.group", "w.group", "w.plain"]);
    for (let i = 0; i < 30; i += 1) {
      transport.publish("w.plain", empty);
      transport.publish("w.group", empty);
    }
    await until(() => heard.length === 60);
    expect(heard.filter((name) => name === "plain")).toHaveLength(30);
    expect(new Set(heard)).toEqual(new Set(["plain", "one", "two"]));
    expect(statuses.some(({ kind }) => kind === "disconnected")).toBe(false);
  });

  test("one that is ended meanwhile is not asked for again", async () => {
    const server = await serve({ config: rights('allow: ["_INBOX.>"]') });
    const transport = await join({ servers: server.url.replace("//", "//ann:geheim@") });
    const statuses = listen(transport);
    const end = transport.subscribe("w.gone", () => {});
    await until(() => statuses.length > 0);
    end();
    await server.reload(rights('allow: [">"]'));
    await pass(1_000);
    expect(await ask(transport, "w.gone")).toEqual({ kind: "no_responders" });
  });
});

withServer("what a server refuses at the door", () => {
  test("too many connections: its own sentence, though the server's word is cut off", async () => {
    const { url } = await serve({ config: "max_connections: 1\n" });
    // The connection that saw the server start may still be counted.
    const only = await join({ servers: url, waitOnFirstConnect: true, ...quick });
    await until(() => only.connected);
    // The word is lost when our bytes meet a closed socket: not at every attempt.
    for (let i = 0; i < 5; i += 1) {
      const error = await failure({ servers: url });
      expect([error.code, error.message]).toEqual([
        "server_refused",
        `the NATS server at ${url} takes no more connections (maximum connections exceeded): ` +
          "raise its max_connections, or end other clients of it",
      ]);
    }
  });

  test("too many connections of an account", async () => {
    const config = `accounts { A { users: [{ user: ann, password: geheim }],
      limits { max_connections: 1 } } }\n`;
    const { url } = await serve({ config });
    const servers = url.replace("//", "//ann:geheim@");
    await join({ servers });
    const error = await failure({ servers });
    expect([error.code, error.message]).toEqual([
      "server_refused",
      `the NATS server at ${url} takes no more connections (maximum account active connections ` +
        "exceeded): raise max_connections of the account, or end other clients of it",
    ]);
  });

  test("a control line that is too short for us", async () => {
    const { url } = await serve({ config: "max_control_line: 64\n" });
    const error = await failure({ servers: url });
    expect([error.code, error.message]).toEqual([
      "server_refused",
      `the NATS server at ${url} takes no lines as long as ours (maximum control line exceeded): ` +
        "leave its max_control_line at 4096",
    ]);
  });
});

withServer("a message that cannot be read", () => {
  test("is told with the place for an answer; the connection goes on", async () => {
    const { url, port } = await serve();
    const transport = await join({ servers: url });
    const statuses = listen(transport);
    const heard: string[] = [];
    transport.subscribe("r.*", ({ subject, headers }) => {
      heard.push(`${subject} ${headers?.["x"]}`);
    });
    await transport.flush();
    await publishRaw(port, "r.odd", oddBlock, "some.where");
    transport.publish("r.next", empty, { headers: { x: "1" } });
    await until(() => heard.length > 0 && statuses.length > 0);
    expect(heard).toEqual(["r.next 1"]);
    expect(statuses).toMatchObject([
      { kind: "unread", message: { subject: "r.odd", reply: "some.where", headers: undefined } },
    ]);
  });

  test("an answer: the request runs into its time, and later ones are answered", async () => {
    const { url, port } = await serve();
    const transport = await join({ servers: url });
    const other = await join({ servers: url });
    const statuses = listen(transport);
    other.subscribe("r.ask", ({ reply = "" }) => void publishRaw(port, reply, oddBlock));
    await other.flush();
    expect(await ask(transport, "r.ask", 300)).toEqual({ kind: "timeout" });
    expect(statuses).toMatchObject([{ kind: "unread" }]);
    expect(await ask(transport, "nobody")).toEqual({ kind: "no_responders" });
  });

  test("a listener that throws: the message is reported, the next one arrives", async () => {
    const { url } = await serve();
    const transport = await join({ servers: url });
    const statuses = listen(transport);
    let heardCount = 0;
    transport.subscribe("throw", () => {
      heardCount += 1;
      if (heardCount === 1) throw new Error("cannot read this");
    });
    transport.publish("throw", empty, { reply: "some.where" });
    transport.publish("throw", empty);
    await until(() => heardCount === 2);
    expect(statuses).toMatchObject([
      { kind: "unread", message: { subject: "throw", reply: "some.where" } },
    ]);
  });
});

describe("what this machine lacks", () => {
  const servers = ["nats://10.0.0.7:4222"];
  test.each([
    ["EMFILE", "this process may open no more files and sockets (EMFILE): raise `ulimit -n`"],
    ["ENFILE", "this machine has no free file handle (ENFILE): end programs, or raise fs.file-max"],
    ["ENOMEM", "this machine has no memory left for a connection (ENOMEM): end programs"],
    ["ENOBUFS", "this machine has no memory left for a connection (ENOBUFS): end programs"],
    [
      "EADDRNOTAVAIL",
      "this machine has no free local port or address for a connection (EADDRNOTAVAIL): wait " +
        "until closed connections are forgotten, or widen net.ipv4.ip_local_port_range",
    ],
    ["EACCES", "this machine forbids the connection (EACCES): ask who looks after its firewall"],
    ["EPERM", "this machine forbids the connection (EPERM): ask who looks after its firewall"],
  ])("%s has its own sentence, with the server", (code, sentence) => {
    const error = explain(Object.assign(new Error(`connect ${code}`), { code }), servers);
    const message = `${sentence}; the NATS server at nats://10.0.0.7:4222 was not asked`;
    expect([error.code, error.message]).toEqual(["machine_limit", message]);
  });

  /** Runs a module in a process that has no file handle left. @returns what it prints */
  async function withoutHandles(path: string, use: string): Promise<string> {
    const url = new URL(`../../dist/src/${path}`, import.meta.url).href;
    const script = `
      import { openSync } from "node:fs";
      const module = await import(${JSON.stringify(url)});
      try { for (;;) openSync("/dev/null", "r"); } catch {}
      const told = await ${use}.catch((error) => error);
      process.stdout.write(told.code + " " + told.message);`;
    const args = ["-e", script, "--input-type=module"];
    const child = spawn("sh", ["-c", 'ulimit -n 64; exec "$@"', "sh", process.execPath, ...args]);
    let said = "";
    child.stdout.on("data", (data) => {
      said += data;
    });
    await new Promise((resolve) => child.once("close", resolve));
    return said;
  }

  test("a process that may open no more files says so", async () => {
    const use = `module.connectNats({ servers: "127.0.0.1:4222" })`;
    expect(await withoutHandles("adapters/nats/transport.js", use)).toMatch(
      /^machine_limit this process may open no more files and sockets/,
    );
  });

  test("and does not call a port taken that it cannot try", async () => {
    const use = "module.planServer({ port: 4999, isEmbedded: true })";
    expect(await withoutHandles("worker/server.js", use)).toMatch(
      /^undefined cannot listen on 127\.0\.0\.1: listen EMFILE/,
    );
  });
});

import { setTimeout as sleep } from "node:timers/promises";
import {
  type ConnectionOptions,
  connect,
  createInbox,
  Empty,
  ErrorCode,
  headers,
  type Msg,
  type NatsConnection,
} from "nats";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { hello, rawConnect } from "./raw.js";

/** A server under test. */
export interface RunningBroker {
  readonly url: string;
  readonly port: number;
  stop(): Promise<void>;
}

/**
 * What our `nats` client may rely on, said once for every server that claims to speak the protocol.
 *
 * Goal: the embedded broker and nats-server are exchangeable for us. Method: the real client, one
 * server per suite.
 *
 * @param start starts a server on a free port, or on the one given
 */
export function brokerSuite(start: (port?: number) => Promise<RunningBroker>): void {
  let broker: RunningBroker;
  const clients: NatsConnection[] = [];

  beforeAll(async () => {
    broker = await start();
  });
  afterAll(async () => {
    await broker.stop();
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
  });

  const join = async (options: ConnectionOptions = {}): Promise<NatsConnection> => {
    const client = await connect({ servers: broker.url, ...options });
    clients.push(client);
    return client;
  };

  describe("delivery", () => {
    it("brings a message to every subscriber of the subject, also to its publisher", async () => {
      const [a, b] = await Promise.all([join(), join()]);
      const heard = [gather(a, "news"), gather(b, "news"), gather(b, "other")];
      await Promise.all([a.flush(), b.flush()]);
      a.publish("news", "hello");
      a.publish("news");
      await settle(a, b);
      expect(heard.map(texts)).toEqual([["hello", ""], ["hello", ""], []]);
    });

    it("matches * with one token and > with one or more", async () => {
      const client = await join();
      const patterns = ["a.*", "a.>", "*.b", "a.*.c", ">", "a", "*", "a.b"];
      const heard = patterns.map((pattern) => gather(client, pattern));
      for (const subject of ["a", "a.b", "a.b.c", "x.b", "a.x.y.z"]) {
        client.publish(subject, subject);
      }
      await settle(client);
      expect(heard.map(texts)).toEqual([
        ["a.b"],
        ["a.b", "a.b.c", "a.x.y.z"],
        ["a.b", "x.b"],
        ["a.b.c"],
        ["a", "a.b", "a.b.c", "x.b", "a.x.y.z"],
        ["a"],
        ["a"],
        ["a.b"],
      ]);
    });

    it("gives each message to exactly one member of a queue group", async () => {
      const members = await Promise.all([join(), join(), join()]);
      const heard = members.map((client) => gather(client, "work.*", { queue: "workers" }));
      const other = gather(members[0]!, "work.>", { queue: "auditors" });
      const everyone = gather(members[1]!, "work.x");
      const publisher = await join();
      await settle(...members);
      const sent = Array.from({ length: 300 }, (_, i) => String(i));
      for (const text of sent) {
        publisher.publish("work.x", text);
      }
      await settle(publisher, ...members);
      const taken = heard.flatMap(texts);
      expect(taken.sort(byNumber)).toEqual(sent);
      expect(heard.every((messages) => messages.length > 0)).toBe(true);
      expect(texts(other)).toEqual(sent);
      expect(texts(everyone)).toEqual(sent);
    });

    it("passes headers on beside the body", async () => {
      const client = await join();
      const heard = gather(client, "h");
      const sent = headers();
      sent.append("Synod-Type", "json");
      sent.append("Many", "1");
      sent.append("Many", "2");
      client.publish("h", "body", { headers: sent });
      client.publish("h", Empty, { headers: sent });
      await settle(client);
      expect(texts(heard)).toEqual(["body", ""]);
      for (const message of heard) {
        expect(message.headers?.get("synod-type")).toBe("");
        expect(message.headers?.get("Synod-Type")).toBe("json");
        expect(message.headers?.values("Many")).toEqual(["1", "2"]);
      }
    });

    it("keeps the order of 10,000 messages", async () => {
      const [from, to] = await Promise.all([join(), join()]);
      const numbers: number[] = [];
      to.subscribe("burst.*", {
        callback: (_, message) =>
          numbers.push(new DataView(message.data.buffer, message.data.byteOffset).getUint32(0)),
      });
      await to.flush();
      for (let i = 0; i < 10_000; i += 1) {
        const body = Buffer.alloc(16 + (i % 97));
        body.writeUInt32BE(i, 0);
        from.publish(`burst.${i % 3}`, body);
      }
      await settle(from, to);
      expect(numbers).toEqual(Array.from({ length: 10_000 }, (_, i) => i));
    });

    it("has delivered before a flush returns", async () => {
      const client = await join();
      const heard = gather(client, "f");
      for (let i = 1; i <= 50; i += 1) {
        client.publish("f", String(i));
        await client.flush();
        expect(heard.length).toBe(i);
      }
    });

    it("does not echo to a publisher that asked for silence", async () => {
      const [quiet, other] = await Promise.all([join({ noEcho: true }), join()]);
      const own = gather(quiet, "e");
      const others = gather(other, "e");
      const group = [gather(quiet, "e", { queue: "q" }), gather(other, "e", { queue: "q" })];
      await settle(quiet, other);
      for (let i = 0; i < 10; i += 1) {
        quiet.publish("e", "x");
      }
      await settle(quiet, other);
      expect([own, others, ...group].map((each) => each.length)).toEqual([0, 10, 0, 10]);
    });

    it("carries any bytes, and subjects in any language", async () => {
      const client = await join();
      const heard = gather(client, "straße.火.*");
      const body = Uint8Array.from({ length: 1_024 }, (_, i) => i % 256);
      client.publish("straße.火.é", body);
      await settle(client);
      expect(heard[0]?.subject).toBe("straße.火.é");
      expect(Buffer.compare(heard[0]?.data ?? Empty, body)).toBe(0);
    });
  });

  describe("subscriptions", () => {
    it("ends one after its maximum", async () => {
      const client = await join();
      const heard: string[] = [];
      client.subscribe("m", { max: 3, callback: (_, message) => heard.push(message.string()) });
      const later = client.subscribe("m", { callback: () => {} });
      for (let i = 0; i < 6; i += 1) {
        client.publish("m", String(i));
      }
      await settle(client);
      expect(heard).toEqual(["0", "1", "2"]);
      expect(later.getReceived()).toBe(6);
      later.unsubscribe(2);
      client.publish("m", "x");
      await settle(client);
      expect(later.getReceived()).toBe(6);
    });

    it("counts the maximum on the server too", async () => {
      const client = await rawConnect(broker.port);
      client.socket.write(
        `${hello}SUB m 1\r\nUNSUB 1 2\r\n${"PUB m 1\r\nx\r\n".repeat(4)}PING\r\n`,
      );
      expect(await client.until("PONG")).toBe(`${"MSG m 1 1\r\nx\r\n".repeat(2)}PONG\r\n`);
      client.socket.destroy();
    });

    it("stops at once when asked, and drains what is under way", async () => {
      const [from, to] = await Promise.all([join(), join()]);
      const heard: string[] = [];
      const drained = to.subscribe("d", { callback: (_, message) => heard.push(message.string()) });
      const stopped = to.subscribe("d", { callback: () => {} });
      await to.flush();
      stopped.unsubscribe();
      for (let i = 0; i < 500; i += 1) {
        from.publish("d", String(i));
      }
      await from.flush();
      await drained.drain();
      from.publish("d", "late");
      await settle(from, to);
      expect(heard).toEqual(Array.from({ length: 500 }, (_, i) => String(i)));
      expect(stopped.getReceived()).toBe(0);
    });

    it("lets a connection drain: what was published before arrives", async () => {
      const [from, to] = await Promise.all([join(), join()]);
      const heard = gather(to, "dc");
      await to.flush();
      for (let i = 0; i < 1_000; i += 1) {
        from.publish("dc", String(i));
      }
      await from.drain();
      expect(from.isClosed()).toBe(true);
      await to.flush();
      expect(heard.length).toBe(1_000);
    });

    it("are restored when a server comes back on the same port", async () => {
      let server = await start();
      const options = { reconnectTimeWait: 20, maxReconnectAttempts: -1 };
      const client = await join({ ...options, servers: server.url });
      const heard = gather(client, "back.>");
      const group = gather(client, "back.*", { queue: "q" });
      await client.flush();
      const isBack = until(client, "reconnect");
      await server.stop();
      server = await start(server.port);
      await isBack;
      client.publish("back.again", "1");
      await settle(client);
      expect([texts(heard), texts(group)]).toEqual([["1"], ["1"]]);
      await client.close();
      await server.stop();
    });
  });

  describe("requests", () => {
    it("are answered, one for one", async () => {
      const [asker, answerer] = await Promise.all([join(), join()]);
      answerer.subscribe("double", {
        callback: (_, message) => message.respond(String(2 * Number(message.string()))),
      });
      await answerer.flush();
      const asked = Array.from({ length: 200 }, (_, i) => i);
      const replies = await Promise.all(asked.map((i) => asker.request("double", String(i))));
      expect(replies.map((reply) => Number(reply.string()))).toEqual(asked.map((i) => 2 * i));
      const single = await asker.request("double", "21", { noMux: true, timeout: 1_000 });
      expect(single.string()).toBe("42");
    });

    it("fail at once with 503 when nobody listens", async () => {
      const client = await join();
      const began = performance.now();
      const noMux = { noMux: true, timeout: 5_000 };
      await expect(client.request("nobody", "", { timeout: 5_000 })).rejects.toMatchObject({
        code: ErrorCode.NoResponders,
      });
      await expect(client.request("nobody", "", noMux)).rejects.toMatchObject({
        code: ErrorCode.NoResponders,
      });
      expect(performance.now() - began).toBeLessThan(2_000);
    });

    it("get the 503 as a message of their own subscription", async () => {
      const client = await join();
      const inbox = createInbox();
      const heard = gather(client, inbox);
      client.publish("nobody", "x", { reply: inbox });
      await settle(client);
      await sleep(20);
      expect(heard.map((message) => message.headers?.code)).toEqual([503]);
    });
  });

  describe("limits", () => {
    it("announces 1 MiB as max_payload and carries exactly that", async () => {
      const client = await join();
      expect(client.info).toMatchObject({ max_payload: 1_048_576, headers: true, proto: 1 });
      const heard = gather(client, "big");
      const body = new Uint8Array(1_048_576).map((_, i) => (i * 31) % 251);
      client.publish("big", body);
      await settle(client);
      expect(Buffer.compare(heard[0]?.data ?? Empty, body)).toBe(0);
      expect(() => client.publish("big", new Uint8Array(1_048_577))).toThrow(
        expect.objectContaining({ code: ErrorCode.MaxPayloadExceeded }),
      );
    });

    it("closes a connection that sends more than max_payload", async () => {
      const client = await rawConnect(broker.port);
      client.socket.write(`${hello}PUB a 1048577\r\n`);
      expect(await client.closed()).toBe("-ERR 'Maximum Payload Violation'\r\n");
    });

    it("closes on a line too long, an unknown verb, no_responders without headers", async () => {
      const said = [
        `${hello}SUB ${"a".repeat(5_000)} 1\r\n`,
        "GET / HTTP/1.1\r\n\r\n",
        'CONNECT {"verbose":false,"no_responders":true}\r\n',
      ];
      const answers = said.map(async (text) => {
        const client = await rawConnect(broker.port);
        client.socket.write(text);
        return client.closed();
      });
      expect(await Promise.all(answers)).toEqual([
        "-ERR 'maximum control line exceeded'\r\n",
        "-ERR 'Unknown Protocol Operation'\r\n",
        "-ERR 'no responders requires headers support'\r\n",
      ]);
    });

    it("refuses a malformed subscription and stays", async () => {
      const client = await rawConnect(broker.port);
      client.socket.write(`${hello}SUB a..b 1\r\nSUB a.>.b 2\r\nSUB .a 3\r\nSUB a. 4\r\nPING\r\n`);
      expect(await client.until("PONG")).toBe(`${"-ERR 'Invalid Subject'\r\n".repeat(4)}PONG\r\n`);
      client.socket.destroy();
    });

    it("acknowledges each command of a verbose client", async () => {
      const client = await rawConnect(broker.port);
      client.socket.write("CONNECT {}\r\nSUB a 1\r\nUNSUB 1\r\nPUB a 1\r\nx\r\nPING\r\n");
      expect(await client.until("PONG")).toBe(`${"+OK\r\n".repeat(4)}PONG\r\n`);
      client.socket.destroy();
    });
  });
}

function gather(client: NatsConnection, subject: string, options: { queue?: string } = {}): Msg[] {
  const messages: Msg[] = [];
  client.subscribe(subject, { ...options, callback: (_, message) => messages.push(message) });
  return messages;
}

function texts(messages: readonly Msg[]): string[] {
  return messages.map((message) => message.string());
}

function byNumber(a: string, b: string): number {
  return Number(a) - Number(b);
}

/**
 * Flushes twice: the first makes the server see everything, the second makes each client see it.
 */
async function settle(...clients: readonly NatsConnection[]): Promise<void> {
  for (let round = 0; round < 2; round += 1) {
    await Promise.all(clients.map((client) => client.flush()));
  }
}

async function until(client: NatsConnection, type: string): Promise<void> {
  for await (const status of client.status()) {
    if (status.type === type) {
      return;
    }
  }
}

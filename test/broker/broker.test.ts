/**
 * Goal: the embedded broker is to our client what nats-server is, and no client can make it fall.
 * Method: one suite against both with the real client; then raw sockets that behave badly, after
 * each of which the broker must still serve a good client.
 */
import { connect } from "nats";
import { afterEach, describe, expect, it } from "vitest";
import { type Broker, startBroker } from "../../src/broker/broker.js";
import type { BrokerLimits } from "../../src/broker/limits.js";
import { findNatsServer, startNatsServer } from "../support/nats-server.js";
import { brokerSuite } from "./broker.suite.js";
import { hello, type RawClient, rawConnect } from "./raw.js";

const found = await findNatsServer();

describe("the embedded broker", () => {
  brokerSuite(async (port = 0) => {
    const broker = await startBroker({ port });
    return { ...broker, stop: () => broker.close() };
  });
});

const why = "missing" in found ? ` (skipped: ${found.missing})` : "";
describe.skipIf("missing" in found)(`nats-server${why}`, () => {
  brokerSuite((port) => startNatsServer(port === undefined ? {} : { port }));
});

describe("the embedded broker alone", () => {
  let broker: Broker;
  const open = async (limits: Partial<BrokerLimits> = {}): Promise<Broker> => {
    broker = await startBroker({ port: 0, limits: { closeGraceMs: 200, ...limits } });
    return broker;
  };
  afterEach(async () => {
    await broker.close();
  });

  describe("starting and ending", () => {
    it("refuses every host but loopback", async () => {
      await open();
      for (const host of ["0.0.0.0", "::", "localhost", "10.0.0.1", ""]) {
        await expect(startBroker({ port: 0, host })).rejects.toMatchObject({
          code: "BROKER_HOST_REFUSED",
        });
      }
    });

    it("says what to do when the port is in use", async () => {
      const { port } = await open();
      await expect(startBroker({ port })).rejects.toMatchObject({
        name: "PortInUseError",
        code: "BROKER_PORT_IN_USE",
        port,
        message: expect.stringContaining("choose another port"),
      });
    });

    it("refuses limits that make no sense", async () => {
      await open();
      const wrong: Partial<BrokerLimits>[] = [
        { connectionsMax: 0 },
        { payloadBytesMax: -1 },
        { pendingBytesMax: Number.NaN },
        { pingIntervalMs: 2 ** 31 },
        { pendingBytesMax: 1_048_576 },
      ];
      for (const limits of wrong) {
        await expect(startBroker({ port: 0, limits })).rejects.toThrow(RangeError);
      }
    });

    it("announces itself", async () => {
      const { port, url } = await open();
      const client = await connect({ servers: url });
      expect(client.info).toMatchObject({
        server_id: expect.stringMatching(/^[0-9A-F]{32}$/),
        server_name: "synod-broker",
        version: "2.9.10-synod",
        proto: 1,
        headers: true,
        port,
        host: "127.0.0.1",
      });
      await client.close();
    });

    it("delivers what it took before it closes, and closing twice is closing once", async () => {
      const { port } = await open();
      const client = await rawConnect(port);
      client.socket.write(`${hello}SUB a 1\r\nPING\r\n`);
      await client.until("PONG");
      const publisher = await rawConnect(port);
      publisher.socket.write(`${hello}PUB a 3\r\nabc\r\nPING\r\n`);
      await publisher.until("PONG");
      await Promise.all([broker.close(), broker.close()]);
      expect(await client.closed()).toBe("PONG\r\nMSG a 1 3\r\nabc\r\n");
      expect(broker.stats()).toMatchObject({ connections: 0, subscriptions: 0 });
    });
  });

  describe("bad input", () => {
    it("survives random bytes", async () => {
      await open();
      const random = seeded(7);
      const verbs = [
        "PUB",
        "HPUB a 5",
        "SUB",
        "UNSUB 1",
        "CONNECT",
        "PING",
        "\r\n",
        "9".repeat(30),
      ];
      const clients = await Promise.all(Array.from({ length: 60 }, () => rawConnect(broker.port)));
      for (const client of clients) {
        const bytes = Buffer.from(Array.from({ length: 400 }, () => Math.floor(random() * 256)));
        const verb = verbs[Math.floor(random() * verbs.length)]!;
        client.socket.write(Buffer.concat([Buffer.from(`${verb} `), bytes, Buffer.from("\r\n")]));
        client.socket.end();
      }
      await Promise.all(clients.map((client) => client.closed()));
      await serves(broker);
      expect(broker.stats().protocolErrors).toBeGreaterThan(0);
    });

    it("understands frames cut at every byte, and forgets those that never end", async () => {
      await open();
      const bytes = Buffer.from(
        `${hello}SUB a.* q 7\r\nPUB a.b r 3\r\nx\ny\r\n` +
          "HPUB a.c 12 14\r\nNATS/1.0\r\n\r\nhi\r\nPING\r\n",
      );
      const whole = "MSG a.b 7 r 3\r\nx\ny\r\nHMSG a.c 7 12 14\r\nNATS/1.0\r\n\r\nhi\r\nPONG\r\n";
      const listener = await rawConnect(broker.port);
      const cuts = Array.from({ length: bytes.length }, (_, cut) => cut);
      const cutShort = async (cut: number) => {
        const client = await rawConnect(broker.port);
        client.socket.end(bytes.subarray(0, cut));
        await client.closed();
      };
      const cutInTwo = async (cut: number) => {
        const client = await rawConnect(broker.port);
        // Each its own subject: all run at once.
        const text = bytes.toString().replaceAll("a.", `a${cut}.`);
        const at = Math.min(cut, text.length);
        client.socket.setNoDelay(true);
        client.socket.write(text.slice(0, at));
        await new Promise((resolve) => setTimeout(resolve, 5));
        client.socket.write(text.slice(at));
        expect(await client.until("PONG")).toBe(whole.replaceAll("a.", `a${cut}.`));
        client.socket.destroy();
      };
      await Promise.all(cuts.map(cutInTwo));
      await Promise.all(cuts.map(cutShort));
      listener.socket.destroy();
      await serves(broker);
    });

    it("closes an endless control line before it is complete", async () => {
      await open({ controlLineBytesMax: 100 });
      const client = await rawConnect(broker.port);
      client.socket.write("x".repeat(101));
      expect(await client.closed()).toBe("-ERR 'maximum control line exceeded'\r\n");
      await serves(broker);
    });

    it("closes a payload over its own limit, also one of headers", async () => {
      await open({ payloadBytesMax: 10 });
      for (const line of ["PUB a 11", "HPUB a 11 11", "PUB a r 999999999"]) {
        const client = await rawConnect(broker.port);
        client.socket.write(`${hello}${line}\r\n${"x".repeat(100_000)}`);
        expect(await client.closed()).toBe("-ERR 'Maximum Payload Violation'\r\n");
      }
      await serves(broker);
    });

    it.each([
      ["CONNECT {\r\n", "Invalid CONNECT Options"],
      ["CONNECT [1]\r\n", "Invalid CONNECT Options"],
      ["CONNECT\r\n", "Invalid CONNECT Options"],
      ["PUB a\r\n", "Too Few Arguments"],
      ["PUB a b 1 2\r\n", "Too Many Arguments"],
      ["PUB a -1\r\n", "Bad or Missing Size"],
      ["PUB a 1e3\r\n", "Bad or Missing Size"],
      ["PUB a 99999999999999999999\r\n", "Bad or Missing Size"],
      ["HPUB a 5 4\r\n", "Bad or Missing Header Size"],
      ["PUB a 1\r\nxyz", "Unknown Protocol Operation"],
      ["\r\n", "Unknown Protocol Operation"],
      ['CONNECT {"verbose":false}\r\nHPUB a 1 1\r\nx\r\n', "message headers not supported"],
    ])("answers %j with an error and closes", async (said, answer) => {
      await open();
      const client = await rawConnect(broker.port);
      client.socket.write(said);
      expect(await client.closed()).toBe(`-ERR '${answer}'\r\n`);
      await serves(broker);
    });

    it("refuses subjects that cannot be published to, and stays", async () => {
      await open({ subjectTokensMax: 3 });
      const client = await rawConnect(broker.port);
      const bad = ["a.*", ">", "a..b", ".a", "a.", "a\u0001", "a.b.c.d"];
      const frames = bad.map((subject) => `PUB ${subject} 1\r\nx\r\n`).join("");
      client.socket.write(
        `${hello}SUB > 1\r\nSUB a.b.c.> 2\r\n${frames}PUB a.b.c 1\r\nx\r\nPING\r\n`,
      );
      expect(await client.until("PONG")).toBe(
        `-ERR 'Invalid Subject'\r\n${"-ERR 'Invalid Publish Subject'\r\n".repeat(bad.length)}` +
          "MSG a.b.c 1 1\r\nx\r\nPONG\r\n",
      );
      client.socket.destroy();
    });
  });

  describe("bounds", () => {
    it("tells one connection too many, and takes one again when another left", async () => {
      await open({ connectionsMax: 2 });
      const held = await Promise.all([rawConnect(broker.port), rawConnect(broker.port)]);
      const refused = await rawConnect(broker.port);
      expect(await refused.closed()).toBe("-ERR 'maximum connections exceeded'\r\n");
      expect(broker.stats()).toMatchObject({ refusedConnections: 1 });
      held[0]?.socket.destroy();
      await eventually(() => broker.stats().connections === 1);
      await serves(broker);
      held[1]?.socket.destroy();
    });

    it("refuses one subscription too many, and takes one again when another ended", async () => {
      await open({ subscriptionsPerConnectionMax: 2 });
      const client = await rawConnect(broker.port);
      client.socket.write(`${hello}SUB a 1\r\nSUB a 2\r\nSUB a 3\r\nUNSUB 1\r\nSUB a 4\r\n`);
      client.socket.write("PUB a 1\r\nx\r\nPING\r\n");
      expect(await client.until("PONG")).toBe(
        "-ERR 'maximum subscriptions exceeded'\r\nMSG a 2 1\r\nx\r\nMSG a 4 1\r\nx\r\nPONG\r\n",
      );
      expect(broker.stats().subscriptions).toBe(2);
      client.socket.destroy();
      await eventually(() => broker.stats().subscriptions === 0);
    });

    it("cuts a slow consumer and nobody else", async () => {
      await open({ pendingBytesMax: 1_000_000, payloadBytesMax: 60_000 });
      const slow = await rawConnect(broker.port);
      slow.socket.write(`${hello}SUB flood 1\r\nPING\r\n`);
      await slow.until("PONG");
      slow.socket.pause();
      const client = await connect({ servers: broker.url });
      let heard = 0;
      client.subscribe("flood", { callback: () => (heard += 1) });
      let sent = 0;
      const body = new Uint8Array(50_000);
      while (broker.stats().slowConsumers === 0 && sent < 2_000) {
        client.publish("flood", body);
        sent += 1;
        await client.flush();
        expect(broker.stats().pendingBytes).toBeLessThan(2_100_000);
      }
      expect(broker.stats()).toMatchObject({ slowConsumers: 1, connections: 1, subscriptions: 1 });
      expect(heard).toBe(sent);
      slow.socket.resume();
      await slow.closed();
      await client.close();
    });

    it("closes a client that does not answer pings, and keeps one that does", async () => {
      await open({ pingIntervalMs: 30, pingsOutMax: 2 });
      const client = await connect({ servers: broker.url });
      const dead = await rawConnect(broker.port);
      expect(await dead.closed()).toBe("PING\r\nPING\r\n-ERR 'Stale Connection'\r\n");
      await eventually(() => broker.stats().connections === 1);
      expect(broker.stats().staleConnections).toBe(1);
      await client.flush();
      await client.close();
    });

    it("remembers a bounded number of routes", async () => {
      await open({ routesCachedMax: 8 });
      const client = await rawConnect(broker.port);
      const frames = Array.from({ length: 100 }, (_, i) => `PUB a.${i} 0\r\n\r\n`).join("");
      client.socket.write(`${hello}SUB a.* 1\r\n${frames}PING\r\n`);
      expect((await client.until("PONG")).match(/MSG/g)).toHaveLength(100);
      expect(broker.stats().routesCached).toBeLessThanOrEqual(8);
      client.socket.destroy();
    });
  });

  it("strips headers for a subscriber without them", async () => {
    await open();
    const plain = await rawConnect(broker.port);
    plain.socket.write('CONNECT {"verbose":false}\r\nSUB a 1\r\nPING\r\n');
    await plain.until("PONG");
    const client = await rawConnect(broker.port);
    client.socket.write(`${hello}HPUB a r 12 14\r\nNATS/1.0\r\n\r\nhi\r\n`);
    expect(await plain.until("hi\r\n")).toBe("PONG\r\nMSG a 1 r 2\r\nhi\r\n");
    for (const each of [plain, client] satisfies RawClient[]) {
      each.socket.destroy();
    }
  });
});

/** Fails unless a good client is served. */
async function serves(broker: Broker): Promise<void> {
  const client = await rawConnect(broker.port);
  client.socket.write(`${hello}SUB ok 1\r\nPUB ok 2\r\nhi\r\nPING\r\n`);
  expect(await client.until("PONG")).toBe("MSG ok 1 2\r\nhi\r\nPONG\r\n");
  client.socket.destroy();
}

async function eventually(ask: () => boolean): Promise<void> {
  const until = performance.now() + 2_000;
  while (!ask()) {
    if (performance.now() > until) {
      throw new Error(`still not so after 2 s: ${ask}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Numbers in [0, 1) that are the same in every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

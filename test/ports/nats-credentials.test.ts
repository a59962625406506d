/**
 * Goal: rotated credentials end nobody. What a file holds is read at each dial, a refusal after a
 * connection once stood is waited out, and whoever asks of a connection that is closed for good
 * hears why, at once.
 * Method: a real server that is started again with other credentials; files that change before or
 * after; a whole cluster and a client through it.
 */
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectPackage, nkeys } from "nats";
import { describe, expect, onTestFinished, test } from "vitest";
import { readNatsContext } from "../../src/adapters/nats/context.js";
import type { NatsOptions } from "../../src/adapters/nats/given.js";
import { connectNats, type NatsTransport } from "../../src/adapters/nats/transport.js";
import { connect, OutcomeUnknownError, StoppedError, UnavailableError } from "../../src/index.js";
import type { TransportStatus } from "../../src/kernel/ports.js";
import { startCluster } from "../../src/worker/start-cluster.js";
import { until } from "../cli/processes.js";
import { guardFolder } from "../support/guard.js";
import { userOfNewOperator } from "../support/nats-jwt.js";
import { findNatsServer, type NatsServerProcess, startNatsServer } from "../support/nats-server.js";

const quick = { reconnectTimeWait: 30, reconnectJitter: 10 } as const;
const found = await findNatsServer();

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "synod-credentials-"));
  guardFolder(folder);
  return folder;
}

async function serve(config: string, port?: number): Promise<NatsServerProcess> {
  const server = await startNatsServer({ config, ...(port !== undefined && { port }) });
  onTestFinished(() => server.stop());
  return server;
}

async function attach(options: NatsOptions): Promise<[NatsTransport, TransportStatus[]]> {
  const transport = await connectNats({ ...quick, ...options });
  onTestFinished(() => transport.close());
  const statuses: TransportStatus[] = [];
  transport.onStatus((status) => void statuses.push(status));
  return [transport, statuses];
}

const byPassword = (pass: string) =>
  `authorization { users: [ { user: ann, password: "${pass}" } ] }\n`;

/** A way to prove who one is, which can be rotated: what server and file hold, first and then. */
interface Kind {
  readonly name: string;
  readonly config: string;
  readonly rotated: string;
  readonly write: (folder: string, isRotated: boolean) => Promise<Record<string, string>>;
}

function nkeyKind(): Kind {
  const users = [nkeys.createUser(), nkeys.createUser()] as const;
  const config = (i: 0 | 1) =>
    `authorization { users: [ { nkey: ${users[i].getPublicKey()} } ] }\n`;
  const write = async (folder: string, isRotated: boolean) => {
    const nkey = join(folder, "user.nk");
    await writeFile(nkey, users[isRotated ? 1 : 0].getSeed());
    return { nkey };
  };
  return { name: "an nkey file", config: config(0), rotated: config(1), write };
}

function credsKind(): Kind {
  const users = [userOfNewOperator(), userOfNewOperator()] as const;
  const write = async (folder: string, isRotated: boolean) => {
    const creds = join(folder, "user.creds");
    await writeFile(creds, users[isRotated ? 1 : 0].creds);
    return { creds };
  };
  const [{ config }, { config: rotated }] = users;
  return { name: "a creds file", config, rotated, write };
}

const passwordKind: Kind = {
  name: "a password in a context",
  config: byPassword("first"),
  rotated: byPassword("second"),
  write: async (_, isRotated) => ({ user: "ann", password: isRotated ? "second" : "first" }),
};

describe.skipIf("missing" in found).each([passwordKind, nkeyKind(), credsKind()])(
  "$name",
  ({ config, rotated, write }) => {
    /** Writes the file and the context that names it. @returns the context's path */
    async function save(folder: string, url: string, isRotated: boolean): Promise<string> {
      const context = join(folder, "context.json");
      const fields = await write(folder, isRotated);
      await writeFile(context, JSON.stringify({ url, ...fields }));
      return context;
    }

    test("that changed before the server did is read at the next dial", async () => {
      const folder = await newFolder();
      const first = await serve(config);
      const context = await save(folder, first.url, false);
      const [transport] = await attach(await readNatsContext(context));
      await save(folder, first.url, true);
      first.kill();
      await until(() => !transport.connected);
      await serve(rotated, first.port);
      await until(() => transport.connected);
    });

    test("that is refused after a connection stood is waited out", async () => {
      const folder = await newFolder();
      const reasons: string[] = [];
      const onWaiting = ({ code }: { code: string }) => void reasons.push(code);
      const first = await serve(config);
      const context = await save(folder, first.url, false);
      const options = await readNatsContext(context);
      const [transport, statuses] = await attach({ ...options, onWaiting });
      first.kill();
      await until(() => !transport.connected);
      await serve(rotated, first.port);
      await until(() => reasons.includes("not_authorized"));
      expect(statuses.map(({ kind }) => kind)).toEqual(["disconnected"]);
      await save(folder, first.url, true);
      await until(() => transport.connected);
    });
  },
);

describe.skipIf("missing" in found)("credentials", () => {
  test("as a function are asked at every dial, and may fail for a while", async () => {
    let pass: string | undefined = "first";
    let asked = 0;
    const credentials = async () => {
      asked += 1;
      if (pass === undefined) throw new Error("geheim");
      return { user: "ann", pass };
    };
    const reasons: string[] = [];
    const onWaiting = ({ message }: { message: string }) => void reasons.push(message);
    const first = await serve(byPassword("first"));
    const [transport] = await attach({ servers: first.url, credentials, onWaiting });
    expect(asked).toBe(1);
    pass = undefined;
    first.kill();
    await until(() => reasons.some((reason) => reason.includes("option credentials")));
    expect(reasons.join()).not.toContain("geheim");
    await serve(byPassword("second"), first.port);
    pass = "second";
    await until(() => transport.connected);
    expect(asked).toBeGreaterThan(2);
  });

  test("that never were right still end a first connection, and one that waits", async () => {
    const { url: servers } = await serve(byPassword("right"));
    const credentials = () => ({ user: "ann", pass: "wrong" });
    await expect(connectNats({ servers, credentials })).rejects.toMatchObject({
      code: "not_authorized",
    });
    const [, statuses] = await attach({ servers, credentials, waitOnFirstConnect: true });
    await until(() => statuses.length > 0);
    expect(statuses[0]).toMatchObject({ kind: "closed" });
  });

  test("that never come end `connect` by its time and by its signal", async () => {
    const nats = { servers: "127.0.0.1:1", credentials: () => new Promise<never>(() => {}) };
    const error = await connect({ cluster: "demo", nats, timeoutMs: 50 }).catch(String);
    expect(error).toContain("the function of option credentials does not answer");
    const signal = AbortSignal.abort("enough");
    await expect(connect({ cluster: "demo", nats, signal })).rejects.toBeInstanceOf(StoppedError);
  });

  test("that one worker of a cluster lacks end the others with it", async () => {
    const { url: servers } = await serve("");
    let asked = 0;
    const credentials = async () => {
      asked += 1;
      if (asked > 2) await new Promise((resolve) => setTimeout(resolve, 200));
      if (asked > 2) throw new Error("none left");
      return {};
    };
    const starting = startCluster({
      transport: "nats",
      placement: "colocated",
      nats: { servers, credentials },
    });
    await expect(starting).rejects.toThrow("the function of option credentials throws");
    const own = await connectPackage({ servers });
    onTestFinished(() => own.close());
    const asking = own.request("synod.demo.ctl.cluster", "", { timeout: 500 });
    await expect(asking).rejects.toMatchObject({ code: "503" });
  });

  test("rotated under a cluster and its client: both go on", async () => {
    const folder = await newFolder();
    const context = join(folder, "context.json");
    const save = (url: string, password: string) =>
      writeFile(context, JSON.stringify({ url, user: "ann", password }));
    const first = await serve(byPassword("first"));
    await save(first.url, "first");
    const nats = { ...quick, ...(await readNatsContext(context)) };
    const running = await startCluster({
      transport: "nats",
      placement: "single",
      acceptors: 1,
      nats,
    });
    onTestFinished(() => running.stop());
    const synod = await connect({ cluster: "demo", nats });
    onTestFinished(() => synod.close());
    await synod.propose("before");
    first.kill();
    await serve(byPassword("second"), first.port);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await save(first.url, "second");
    expect((await synod.propose("after", { timeoutMs: 20_000 })).position).toBe(2);
  });
});

describe.skipIf("missing" in found)("a connection that is closed for good", () => {
  test("ends every call of its client at once, with the reason", async () => {
    const { url: servers } = await serve("");
    const running = await startCluster({
      transport: "nats",
      placement: "single",
      acceptors: 1,
      nats: { servers },
    });
    onTestFinished(() => running.stop());
    const own = await connectPackage({ servers });
    const synod = await connect({ cluster: "demo", nats: own });
    await synod.propose("before");
    const feed = synod.chosen({ after: "now" });
    const next = feed.next();
    const call = { timeoutMs: Number.POSITIVE_INFINITY };
    // Asked of nobody: the workers have ended, so these wait.
    await running.stop();
    const waiting = [synod.propose("x", call), synod.decide("k", "v", call), next];
    const ended = Promise.allSettled(waiting);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await own.close();
    for (const each of await ended) {
      expect(each).toMatchObject({
        status: "rejected",
        reason: { message: "the connection is closed: the given NATS connection was closed" },
      });
    }
    const later = [
      () => synod.propose("y", call),
      () => synod.decide("k", "v", call),
      () => synod.decide("k", undefined, call),
      () => synod.status(call),
      () => synod.why(call),
      () => synod.prove(1, call),
      () => synod.chosen().next(),
    ];
    for (const ask of later) {
      const error = await ask().catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(UnavailableError);
      expect(error).not.toBeInstanceOf(OutcomeUnknownError);
      expect(String(error)).toContain("the given NATS connection was closed");
    }
    await synod.close();
  });
});

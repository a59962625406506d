/**
 * Goal: a client whose user may hear only a private inbox works, in the library and on the command
 * line, and what the server forbids ends a call at once, with the subject.
 * Method: a real server with permissions, a real cluster, users who lack one right each.
 */
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectPackage } from "nats";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { connect, NotPermittedError, type Synod } from "../../src/index.js";
import { type RunningCluster, startCluster } from "../../src/worker/start-cluster.js";
import { environment, Processes } from "../cli/processes.js";
import { guardFolder } from "../support/guard.js";
import { findNatsServer, type NatsServerProcess, startNatsServer } from "../support/nats-server.js";

const sub = `["synod.>", "_INBOX_ann.>"]`;
const config = `
  authorization { users: [
    { user: root, password: pw }
    { user: ann, password: pw, permissions: {
      publish: ["synod.>"], subscribe: ${sub} } }
    { user: deaf, password: pw, permissions: {
      publish: ["synod.>"], subscribe: ["synod.>"] } }
    { user: mute, password: pw, permissions: {
      publish: { deny: ["synod.demo.ctl.>"] }, subscribe: [">"] } }
    { user: half, password: pw, permissions: {
      publish: { deny: [
        "synod.demo.ctl.status", "synod.demo.synod-proposer.>", "app.>" ] } } }
    { user: blind, password: pw, permissions: { publish: { deny: ["synod.demo.history"] } } }
  ] }\n`;

const found = await findNatsServer();

describe.skipIf("missing" in found)("permissions", () => {
  let server: NatsServerProcess;
  let running: RunningCluster;

  beforeAll(async () => {
    server = await startNatsServer({ config });
    running = await startCluster({
      transport: "nats",
      placement: "single",
      acceptors: 1,
      nats: { servers: server.url, user: "root", pass: "pw" },
    });
  });
  afterAll(async () => {
    await running.stop();
    await server.stop();
  });

  const as = (user: string) => ({ servers: server.url, user, pass: "pw" });

  async function open(nats: Parameters<typeof connect>[0]["nats"]): Promise<Synod> {
    const synod = await connect({ cluster: "demo", nats });
    onTestFinished(() => synod.close());
    return synod;
  }

  async function worksWith(synod: Synod): Promise<void> {
    const { position } = await synod.propose("hi");
    const feed = synod.chosen({ after: position - 1 });
    expect((await feed.next()).value?.value).toBe("hi");
    await feed.return?.();
    expect(await synod.decide(`key ${position}`, "blue")).toBe("blue");
    expect((await synod.status()).leader?.id).toBe("p1");
  }

  it("a private inbox prefix serves every call", async () => {
    await worksWith(await open({ ...as("ann"), inboxPrefix: "_INBOX_ann" }));
  });

  it("an open connection's own prefix serves every call", async () => {
    const own = await connectPackage({ ...as("ann"), inboxPrefix: "_INBOX_ann" });
    onTestFinished(() => own.close());
    await worksWith(await open(own));
  });

  it.each([true, false])("an open connection with noEcho %s serves every call", async (noEcho) => {
    const own = await connectPackage({ ...as("root"), noEcho });
    onTestFinished(() => own.close());
    await worksWith(await open(own));
  });

  it("on the command line, by a context and by an option", async () => {
    const folder = await mkdtemp(join(tmpdir(), "synod-permissions-"));
    guardFolder(folder);
    const context = join(folder, "ann.json");
    const fields = { url: server.url, user: "ann", password: "pw", inbox_prefix: "_INBOX_ann" };
    await writeFile(context, JSON.stringify(fields));
    const processes = new Processes();
    onTestFinished(() => processes.clear());
    const byContext = await processes.run(["propose", "there", "--context", context]);
    expect([byContext.code, byContext.stderr]).toEqual([0, ""]);
    const env = { ...environment(), NATS_URL: server.url.replace("//", "//ann:pw@") };
    const option = ["--inbox-prefix", "_INBOX_ann"];
    const byOption = await processes.run(["status", ...option], { env });
    expect([byOption.code, byOption.stderr]).toEqual([0, ""]);
    const without = await processes.run(["status"], { env });
    expect(without.stderr).toMatch(/forbid this client to subscribe to _INBOX\..*--inbox-prefix/);
  });

  it("on the command line, what is forbidden is named, not told as silence", async () => {
    const processes = new Processes();
    onTestFinished(() => processes.clear());
    const run = (user: string, ...args: string[]) => {
      const env = { ...environment(), NATS_URL: server.url.replace("//", `//${user}:pw@`) };
      return processes.run(args, { env });
    };
    const words = "the server's permissions forbid this client to";
    const silent = await run("half", "status", "--json");
    expect([silent.code, JSON.parse(silent.stdout)]).toEqual([
      1,
      {
        error: {
          code: "not_permitted",
          message: `${words} publish to synod.demo.ctl.status`,
          mayHaveHappened: false,
        },
      },
    ]);
    const unasked = await run("blind", "chosen");
    expect(unasked.stderr).toContain(`${words} publish to synod.demo.history`);
    const named = ["--nats", server.url.replace("//", "//mute:pw@")];
    const up = await run("mute", "up", "--exit", ...named);
    expect([up.code, up.stdout]).toEqual([1, ""]);
    expect(up.stderr).toContain(`${words} publish to synod.demo.ctl.cluster`);
  });

  it("what is forbidden of others on the same connection ends no call", async () => {
    const own = await connectPackage(as("half"));
    onTestFinished(() => own.close());
    const synod = await open(own);
    const calls = Array.from({ length: 100 }, (_, n) => synod.propose(`beside ${n}`));
    own.publish("app.session.opened");
    await own.flush();
    expect(await Promise.all(calls)).toHaveLength(100);
  });

  it("a forbidden inbox ends `connect` at once, with its subject and what to do", async () => {
    const error = await connect({ cluster: "demo", nats: as("deaf"), timeoutMs: 20_000 }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(NotPermittedError);
    expect(String(error)).toMatch(/forbid this client to subscribe to _INBOX\.\S+.*inboxPrefix/);
  });

  it("a forbidden question ends `connect` at once, with its subject", async () => {
    const error = await connect({ cluster: "demo", nats: as("mute"), timeoutMs: 20_000 }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(NotPermittedError);
    expect(String(error)).toContain("forbid this client to publish to synod.demo.ctl.cluster");
  });

  it("what is forbidden of an open client ends the calls that need it", async () => {
    const own = await connectPackage(as("root"));
    onTestFinished(() => own.close());
    const root = await open(own);
    await root.propose("before");
    const half = await connect({ cluster: "demo", nats: as("half") });
    onTestFinished(() => half.close());
    const call = { timeoutMs: 20_000 };
    await expect(half.status(call)).rejects.toThrow(
      "forbid this client to publish to synod.demo.ctl.status",
    );
    await expect(half.decide("k", "v", call)).rejects.toBeInstanceOf(NotPermittedError);
    // What is allowed goes on.
    expect((await half.propose("all the same")).position).toBeGreaterThan(1);
  });
});

/**
 * Goal: who does not hear whom is named, in the library, by `status` and by `why`; where all hear
 * all, nobody is.
 * Method: a real server that forbids one proposer's process to publish to the others' inboxes and
 * subjects, while this client, under an inbox prefix of its own, still receives its answers.
 */
import { connect as connectPackage } from "nats";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { unheard } from "../../src/client/hearing.js";
import { connect } from "../../src/index.js";
import { type RunningCluster, startCluster } from "../../src/worker/start-cluster.js";
import { startWorker } from "../../src/worker/worker.js";
import { runHere } from "../cli/here.js";
import { findNatsServer, type NatsServerProcess, startNatsServer } from "../support/nats-server.js";

const config = `
  authorization { users: [
    { user: root, password: pw }
    { user: mute, password: pw, permissions: { publish: ["_INBOX_client.>", "_INBOX_mute.>"] } }
  ] }\n`;

/** Milliseconds: only what fails takes so long. */
const waitMsMax = 60_000;
const found = await findNatsServer();

describe.skipIf("missing" in found)("a process that is not heard", () => {
  let server: NatsServerProcess;
  let running: RunningCluster;
  const as = (user: string, inboxPrefix?: string) => {
    return { servers: server.url, user, pass: "pw", ...(inboxPrefix && { inboxPrefix }) };
  };

  beforeAll(async () => {
    server = await startNatsServer({ config });
    const nats = as("root");
    running = await startCluster({ transport: "nats", placement: "colocated", nats });
  });
  afterAll(async () => {
    await running.stop();
    await server.stop();
  });

  it("is named by those that do not hear it, once it runs", async () => {
    const nats = as("root", "_INBOX_client");
    const synod = await connect({ cluster: "demo", nats });
    onTestFinished(() => synod.close());
    expect(await synod.hearing()).toEqual([]);

    const roles = ["learner:l9"];
    const mute = await startWorker({
      cluster: running.cluster,
      roles,
      nats: as("mute", "_INBOX_mute"),
    });
    onTestFinished(() => mute.stop());
    // A busy process gives its sign too late, and then nobody is blamed by its word.
    await vi.waitFor(async () => {
      const cutOff = await synod.hearing();
      expect(cutOff.map(({ role, id }) => `${role} ${id}`)).toEqual(["learner l9"]);
      const [{ by, of }] = cutOff as [(typeof cutOff)[0]];
      expect(by).toContain("acceptor a1");
      expect(by).toHaveLength(of);
      const waits = (await synod.why()).find(({ id }) => id === "l9")?.waits ?? [];
      expect(waits[0]).toMatchObject({ for: "others to hear it", have: 0, need: of });
      const url = server.url.replace("//", "//root:pw@");
      const flags = ["--nats", url, "--inbox-prefix", "_INBOX_client"];
      const status = await runHere(["status", ...flags]);
      expect(status.stdout).toMatch(new RegExp(`learner +l9 .* unheard by ${of}`));
    }, waitMsMax);
  });
});

describe.skipIf("missing" in found)("a worker on a connection that was given", () => {
  it.each([true, false])("hears and is heard with noEcho %s", async (noEcho) => {
    const server = await startNatsServer();
    onTestFinished(() => server.stop());
    const nats = { servers: server.url };
    const running = await startCluster({ transport: "nats", placement: "colocated", nats });
    onTestFinished(() => running.stop());
    const connection = await connectPackage({ ...nats, noEcho });
    onTestFinished(() => connection.close());
    const { cluster } = running;
    const worker = await startWorker({ cluster, roles: ["learner:l9"], nats: { connection } });
    onTestFinished(() => worker.stop());
    const synod = await connect({ cluster: "demo", nats });
    onTestFinished(() => synod.close());
    await vi.waitFor(async () => {
      const { processes } = await synod.status();
      expect(processes.length).toBe(running.workers.size + 1);
      expect(await synod.hearing()).toEqual([]);
    }, waitMsMax);
  });
});

describe("what processes say of themselves", () => {
  const says = (process: string, hears: readonly string[], ...roles: readonly string[]) => ({
    process,
    hears,
    server: "nats://s",
    roles: roles.map((name) => ({ role: name.split(" ")[0], id: name.split(" ")[1] })),
  });

  it("names nobody where all hear all", () => {
    const all = ["one", "two"];
    expect(unheard([says("one", all, "acceptor a1"), says("two", all, "proposer p1")])).toEqual([]);
  });

  it("names each role of a process that another does not hear, and by whom", () => {
    const answers = [
      says("one", ["one", "two", "three"], "proposer p1", "elector e1"),
      says("two", ["two", "three"], "acceptor a1"),
      says("three", ["one", "two", "three"], "learner l1"),
    ];
    const of = { server: "nats://s", by: ["acceptor a1"], of: 2 };
    expect(unheard(answers)).toEqual([
      { role: "proposer", id: "p1", ...of },
      { role: "elector", id: "e1", ...of },
    ]);
  });

  it("blames nobody by the word of a process that could not ask, or that says nonsense", () => {
    const answers = [
      says("one", ["one", "two"], "acceptor a1"),
      says("two", [], "learner l1"),
      { process: "three", hears: "all", roles: "none" },
    ];
    expect(unheard(answers)).toEqual([]);
  });
});

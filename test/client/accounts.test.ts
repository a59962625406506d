/**
 * Goal: a client in an account of its own, which imports the cluster's services and streams, sees
 * every process and can do all that any client can.
 * Method: a real server with two accounts, the subjects that the README lists, a real cluster.
 */
import { connect as connectPackage } from "nats";
import { describe, expect, it, onTestFinished } from "vitest";
import { connect } from "../../src/index.js";
import { startCluster } from "../../src/worker/start-cluster.js";
import { findNatsServer, startNatsServer } from "../support/nats-server.js";

const services = ["ctl.>", "propose", "history", "gateway.>", "synod-proposer.>"];
const streams = ["chosen.>", "session.>"];
const exports = [
  ...services.map((subject) => `{ service: "synod.demo.${subject}" }`),
  ...streams.map((subject) => `{ stream: "synod.demo.${subject}" }`),
];
const imports = [
  ...services.map((subject) => `{ service: { account: C, subject: "synod.demo.${subject}" } }`),
  ...streams.map((subject) => `{ stream: { account: C, subject: "synod.demo.${subject}" } }`),
];
const config = `accounts {
  C { users: [ { user: cluster, password: pw } ], exports: [ ${exports.join(", ")} ] }
  A { users: [ { user: ann, password: pw } ], imports: [ ${imports.join(", ")} ] }
}\n`;

const found = await findNatsServer();

describe.skipIf("missing" in found)("through an account's imports", () => {
  it("status shows every process, and every call works", async () => {
    const server = await startNatsServer({ config });
    onTestFinished(() => server.stop());
    const as = (user: string) => ({ servers: server.url, user, pass: "pw" });
    const running = await startCluster({ transport: "nats", nats: as("cluster") });
    onTestFinished(() => running.stop());
    const inside = await connect({ cluster: "demo", nats: as("cluster") });
    onTestFinished(() => inside.close());
    await inside.propose("inside");
    const namesOf = ({ roles }: Awaited<ReturnType<typeof inside.status>>) =>
      roles.map(({ role, id }) => `${role} ${id}`).sort();
    const all = namesOf(await inside.status());
    expect(all.length).toBeGreaterThan(8);

    const own = await connectPackage(as("ann"));
    onTestFinished(() => own.close());
    const synod = await connect({ cluster: "demo", nats: own });
    onTestFinished(() => synod.close());
    // On a busy machine a process may answer too late for one round of questions.
    const busy = { timeout: 20_000 };
    await expect.poll(async () => namesOf(await synod.status()), busy).toEqual(all);
    await expect.poll(async () => (await synod.why()).length, busy).toBe(all.length);
    const { position } = await synod.propose("outside");
    const feed = synod.chosen({ after: position - 1 });
    expect((await feed.next()).value?.value).toBe("outside");
    await feed.return?.();
    expect(await synod.decide("colour", "blue")).toBe("blue");
    expect((await synod.prove(position))?.votes.length).toBeGreaterThan(1);
    const answer = await own.request("synod.demo.propose", "plain", { timeout: 5_000 });
    expect(answer.json()).toMatchObject({ position: position + 1 });
  });
});

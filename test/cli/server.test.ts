/**
 * Goal: a command says which server it asked and who chose it, and `up` and the commands in its
 * folder mean the same one. Method: real servers, one that is full, one without a cluster, and
 * NATS_URL exported to another.
 */
import { createServer } from "node:net";
import { connect } from "nats";
import { afterEach, describe, expect, it } from "vitest";
import { findNatsServer, type NatsServerProcess, startNatsServer } from "../support/nats-server.js";
import { environment, Processes, recordOf } from "./processes.js";

const processes = new Processes();
const servers: NatsServerProcess[] = [];
afterEach(async () => {
  await processes.clear();
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

async function serve(config = ""): Promise<NatsServerProcess> {
  const server = await startNatsServer({ config });
  servers.push(server);
  return server;
}

/** An address where nobody listens. */
async function deadUrl(): Promise<string> {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
  const { port } = holder.address() as { port: number };
  await new Promise((resolve) => holder.close(resolve));
  return `nats://127.0.0.1:${port}`;
}

const found = await findNatsServer();

describe("a server that does not answer", () => {
  it("is named, with who chose it: option or NATS_URL", async () => {
    const [url, cwd] = [await deadUrl(), await processes.folder()];
    const named = await processes.run(["status", "--nats", url], { cwd });
    const fromEnvironment = { ...environment(), NATS_URL: url };
    const exported = await processes.run(["why"], { cwd, env: fromEnvironment });
    const refused = "(connection refused): start one there";
    expect([named.code, named.stderr]).toEqual([
      3,
      expect.stringContaining(`no NATS server answers at ${url}, chosen by --nats ${refused}`),
    ]);
    expect([exported.code, exported.stderr]).toEqual([
      3,
      expect.stringContaining(`no NATS server answers at ${url}, chosen by NATS_URL ${refused}`),
    ]);
  });
});

describe.skipIf("missing" in found)("a server that answers", () => {
  it("but runs no such cluster: is named, with who chose it", async () => {
    const [{ url }, cwd] = [await serve(), await processes.folder()];
    const env = { ...environment(), NATS_URL: url };
    for (const command of [["status"], ["propose", "x"], ["decide", "k", "v"]]) {
      const { code, stderr } = await processes.run(command, { cwd, env });
      expect([code, stderr]).toEqual([
        3,
        expect.stringContaining(
          `no process of cluster demo answered within 3000 ms on ${url}, chosen by NATS_URL: start`,
        ),
      ]);
    }
  });

  it("but takes no more connections: says so", async () => {
    const [{ url }, cwd] = [await serve("max_connections: 1\n"), await processes.folder()];
    const holder = await connect({ servers: url });
    const { code, stderr } = await processes.run(["status", "--nats", url], { cwd });
    await holder.close();
    expect([code, stderr]).toEqual([
      3,
      `synod: the NATS server at ${url}, chosen by --nats, takes no more connections (maximum ` +
        "connections exceeded): raise its max_connections, or end other clients of it\n",
    ]);
  });

  it("with NATS_URL exported, `up` and the commands in its folder agree", async () => {
    const [other, cwd] = [await serve(), await processes.folder()];
    const env = { ...environment(), NATS_URL: other.url };
    const up = processes.start(["up", "--placement", "single", "--embedded"], { cwd, env });
    await up.says(/stores and logs in/, 60_000);
    const { server } = recordOf(cwd);
    expect(server).not.toBe(other.url);
    const status = await processes.run(["status"], { cwd, env });
    expect([status.code, status.stdout]).toEqual([
      0,
      expect.stringContaining(`cluster demo on ${server}: `),
    ]);
    expect(status.stderr).toContain(
      `NATS_URL is not used: \`up\` runs in this folder, on ${server}`,
    );
    const elsewhere = await processes.run(["status", "--nats", other.url], { cwd, env });
    expect(elsewhere.code).toBe(3);
    // The same server, with what it needs besides: nothing to say.
    const same = { ...environment(), NATS_URL: server.replace("//", "//ann:geheim@") };
    const agreed = await processes.run(["status"], { cwd, env: same });
    expect([agreed.code, agreed.stderr]).toEqual([0, ""]);
  }, 120_000);
});

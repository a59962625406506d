/**
 * Goal: the server that `up` starts cuts a connection off that takes nothing, before that holds up
 * the others.
 * Method: the configuration that `up` writes, run by a real nats-server that is asked what it took.
 */
import { spawn } from "node:child_process";
import { mkdtemp, symlink } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { planServer } from "../../src/worker/server.js";
import { until } from "../cli/processes.js";
import { guardChild, guardFolder } from "../support/guard.js";
import { findNatsServer } from "../support/nats-server.js";

const found = await findNatsServer();

async function freePort(): Promise<number> {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
  const { port } = holder.address() as { port: number };
  await new Promise((resolve) => holder.close(resolve));
  return port;
}

describe.skipIf("missing" in found)("the server of `up`", () => {
  it("waits 2 s for a connection that takes nothing", async () => {
    const folder = await mkdtemp(join(tmpdir(), "synod-server-"));
    guardFolder(folder);
    const path = "path" in found ? found.path : "";
    await symlink(path, join(folder, "nats-server"));
    const plan = await planServer({
      folder,
      port: undefined,
      welcomePort: undefined,
      log: 2,
      startBroker: () => {
        throw new Error("there is a nats-server");
      },
      searchPath: folder,
      isEmbedded: false,
    });
    expect(plan.kind).toBe("nats-server");
    const monitor = await freePort();
    const config = join(folder, "nats.conf");
    const child = spawn(path, ["-c", config, "-m", String(monitor)], { stdio: "ignore" });
    guardChild(child);
    onTestFinished(() => void child.kill("SIGKILL"));
    let limits: { write_deadline?: number } = {};
    await until(async () => {
      const answer = await fetch(`http://127.0.0.1:${monitor}/varz`).catch(() => undefined);
      if (answer === undefined) return false;
      limits = (await answer.json()) as typeof limits;
      return true;
    });
    expect(limits.write_deadline).toBe(2_000_000_000); // nanoseconds
  });
});

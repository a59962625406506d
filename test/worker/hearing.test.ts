/**
 * Goal: a process says which others it hears, and whether it could ask at all, whether its
 * connection brings it its own messages or not.
 * Method: processes on a bus in memory, with and without echo, and with permissions.
 */
import { describe, expect, it } from "vitest";
import { createVirtualClock } from "../../src/adapters/memory/clock.js";
import { createMemoryBus, type MemoryLinkOptions } from "../../src/adapters/memory/transport.js";
import { Hearing } from "../../src/worker/hearing.js";

const space = { prefix: "synod", cluster: "demo" };
const sign = "synod.demo.ctl.sign";

/** Starts processes on one bus. @returns asks one of them */
function processes(all: Readonly<Record<string, MemoryLinkOptions>>) {
  const clock = createVirtualClock();
  const bus = createMemoryBus(clock);
  const started = Object.entries(all).map(([name, options]) => {
    const transport = bus.connect(name, options);
    const hearing = new Hearing({ transport, clock, space, nonce: nonceOf(name) });
    hearing.start();
    return [name, { transport, hearing }] as const;
  });
  const byName = new Map(started);
  const ask = async (name: string): Promise<readonly string[]> => {
    const report = byName.get(name)?.hearing.report([], "memory");
    for (let turns = 0; turns < 5; turns++) {
      clock.runSoon();
      await Promise.resolve();
    }
    clock.advance(1000);
    return ((await report)?.hears ?? []).map((hears) => hears.replace(/0+$/, ""));
  };
  return { ask, stopServer: () => bus.stop() };
}

const nonceOf = (name: string) => name.padEnd(16, "0");

describe.each([[{ noEcho: true }], [{ noEcho: false }]])("with %j", (echo) => {
  it("a process hears all, itself among them, and alone itself", async () => {
    const { ask } = processes({ a: echo, b: echo, c: {} });
    expect(await ask("a")).toEqual(["a", "b", "c"]);
    expect(await processes({ a: echo }).ask("a")).toEqual(["a"]);
  });

  it("a process that hears nobody else still says that it asked", async () => {
    const denies = (operation: string, subject: string) =>
      operation === "publish" && subject.startsWith("_INBOX");
    const { ask } = processes({ a: echo, b: { denies } });
    expect(await ask("a")).toEqual(["a"]);
  });

  it.each([
    ["its question", "publish", sign],
    ["the subscription to the answers", "subscribe", "_INBOX"],
  ])("a process says that it could not ask where %s is forbidden", async (_what, what, begin) => {
    const denies = (operation: string, subject: string) =>
      operation === what && subject.startsWith(begin);
    const { ask } = processes({ a: { ...echo, denies }, b: {} });
    expect(await ask("a")).not.toContain("a");
  });

  it("a process says that it could not ask without a connection", async () => {
    const { ask, stopServer } = processes({ a: echo });
    stopServer();
    expect(await ask("a")).toEqual([]);
  });

  it("the sign of a process that may not give one does not keep it from asking", async () => {
    const denies = (operation: string, subject: string) =>
      operation === "subscribe" && subject === sign;
    const { ask } = processes({ a: { ...echo, denies }, b: {} });
    expect(await ask("a")).toEqual(["a", "b"]);
    expect(await ask("b")).toEqual(["b"]);
  });
});

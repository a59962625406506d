/**
 * Goal: nobody imports against the directions of the table in imports.ts.
 * Method: the table is data (imports.ts); every import of every file is held against it; planted
 * imports, good and bad, show that the checker tells them apart.
 */
import { describe, expect, it } from "vitest";
import { checkImports, reach, table } from "./imports.js";
import { isCode, readTree, report } from "./sources.js";

/** [file, statement that must be refused] */
const bad: readonly (readonly [string, string])[] = [
  ["src/paxos/ballot.ts", 'import { readFileSync } from "node:fs";'],
  ["src/paxos/ballot.ts", 'import { assign } from "xstate";'],
  ["src/paxos/ballot.ts", 'import type { Snapshot } from "xstate";'],
  ["src/paxos/ballot.ts", 'export type { Effect } from "../kernel/effect.js";'],
  ["src/paxos/ballot.ts", 'type Hash = import("node:crypto").Hash;'],
  ["src/paxos/ballot.ts", 'const late = await import("lmdb");'],
  ["src/paxos/ballot.ts", "const late = await import(name);"],
  ["src/paxos/ballot.ts", 'import fs = require("fs");'],
  ["src/paxos/ballot.ts", '/// <reference types="node" />\n'],
  ["src/kernel/host.ts", 'import { createEmptyActor } from "xstate";'],
  ["src/kernel/step.ts", 'import { NatsTransport } from "../adapters/nats/transport.js";'],
  ["src/kernel/table.ts", 'import { acceptor } from "../../actors/acceptor/machine.js";'],
  ["src/kernel/compiler.ts", 'import { hrtime } from "node:process";'],
  ["src/kernel/role.ts", 'import { acceptor } from "../../actors/acceptor/machine.js";'],
  ["src/kernel/host.ts", 'import { hrtime } from "node:process";'],
  ["actors/acceptor/machine.ts", 'import { Context } from "../proposer/context.js";'],
  ["actors/acceptor/machine.ts", 'import { Host } from "../../src/kernel/host.js";'],
  ["actors/acceptor/machine.ts", 'import { open } from "../../src/adapters/lmdb/store.js";'],
  ["actors/acceptor/machine.ts", 'import { enqueueActions } from "xstate";'],
  ["actors/acceptor/machine.ts", 'import { createActor as assign } from "xstate";'],
  ["actors/acceptor/machine.ts", 'import * as xstate from "xstate";'],
  [
    "actors/learner/services.ts",
    'import { NatsTransport } from "../../src/adapters/nats/transport.js";',
  ],
  ["actors/index.ts", 'import { start } from "../src/worker/main.js";'],
  ["src/adapters/nats/transport.ts", 'import { Store } from "../lmdb/store.js";'],
  ["src/adapters/nats/transport.ts", 'import { pack } from "msgpackr";'],
  ["src/adapters/nats/transport.ts", 'import { Host } from "../../kernel/host.js";'],
  ["src/adapters/msgpackr/codec.ts", 'import { connect } from "nats";'],
  ["src/adapters/lmdb/store.ts", 'import { Type } from "@sinclair/typebox";'],
  ["src/adapters/lmdb/store.ts", 'import { roles } from "../../../actors/index.js";'],
  ["src/adapters/pino/log.ts", 'import { open } from "lmdb";'],
  ["src/adapters/memory/clock.ts", 'import { setTimeout } from "node:timers/promises";'],
  ["src/adapters/memory/store.ts", 'import { open } from "lmdb";'],
  ["src/broker/server.ts", 'import { ballot } from "../paxos/ballot.js";'],
  ["src/broker/server.ts", 'import { connect } from "nats";'],
  ["src/replicated/kv.ts", 'import { step } from "../kernel/step.js";'],
  ["src/replicated/kv.ts", 'import { createHash } from "node:crypto";'],
  ["src/client/connect.ts", 'import { startWorker } from "../worker/index.js";'],
  ["src/client/connect.ts", 'import { proposer } from "../../actors/proposer/machine.js";'],
  ["src/client/connect.ts", 'import { NatsTransport } from "../adapters/nats/transport.js";'],
  ["src/client/connect.ts", 'import { connect } from "nats";'],
  ["src/sim/world/world.ts", 'import { open } from "../adapters/lmdb/store.js";'],
  ["src/sim/world/world.ts", 'import { performance } from "node:perf_hooks";'],
  ["src/sim/world/world.ts", 'import { acceptor } from "../../actors/acceptor/machine.js";'],
  ["src/sim/broken/outbox.ts", 'import { createActor } from "xstate";'],
  ["src/lab/placement.ts", 'import { start } from "../worker/index.js";'],
  ["src/charts/svg.ts", 'import { createMachine } from "xstate";'],
  ["src/charts/svg.ts", 'import { writeFileSync } from "node:fs";'],
  ["src/charts/svg.ts", 'import { Host } from "../worker/main.js";'],
  ["src/charts/write.ts", 'import { open } from "../adapters/lmdb/store.js";'],
  ["src/worker/main.ts", 'import { Command } from "commander";'],
  ["src/worker/main.ts", 'import { connect } from "nats";'],
  ["src/worker/main.ts", 'import { cluster } from "../../test/support/cluster.js";'],
  ["src/worker/roles.ts", 'import { BROKEN } from "../sim/broken/index.js";'],
  ["src/worker/main.ts", 'const late = await import("../sim/broken/hunt.js");'],
  ["src/cli/worker.ts", 'import { BROKEN } from "../sim/broken/index.js";'],
  ["src/cli/up.ts", 'export { BROKEN } from "../sim/broken/index.js";'],
  ["src/client/connect.ts", 'import { BROKEN } from "../sim/broken/index.js";'],
  ["src/inspector/server.ts", 'import { BROKEN } from "../sim/broken/index.js";'],
  ["src/index.ts", 'export { BROKEN } from "./sim/broken/index.js";'],
  ["src/cli/sim.ts", 'import { parse } from "yaml";'],
  ["src/cli/sim-hunter.ts", 'import { Command } from "commander";'],
  ["src/cli/explore.ts", 'import { connect } from "nats";'],
  ["src/cli/main.ts", 'import { parse } from "yaml";'],
  ["src/inspector/server.ts", 'import { open } from "lmdb";'],
  ["src/index.ts", 'export { connect } from "nats";'],
  ["src/novelty/thing.ts", "export const thing = 1;"],
];

/** [file, statement that must pass] */
const good: readonly (readonly [string, string])[] = [
  ["src/paxos/consensus/acceptor.ts", 'import { compare } from "./ballot.js";'],
  [
    "src/paxos/consensus/acceptor.ts",
    '/** An `import("node:fs")` in words. */ const s = "import fs";',
  ],
  ["src/kernel/step.ts", 'import { createEmptyActor } from "xstate";'],
  ["src/kernel/ports/store.ts", 'import type { Ballot } from "../../paxos/ballot.js";'],
  ["actors/acceptor/machine.ts", 'import { assign, setup, type AnyActor } from "xstate";'],
  ["actors/acceptor/machine.ts", 'import type { ActorLogic } from "xstate";'],
  ["actors/acceptor/machine.ts", 'import type { Context } from "./context.js";'],
  ["actors/acceptor/machine.ts", 'import { send } from "../../src/kernel/effect.js";'],
  ["actors/index.ts", 'export { acceptor } from "./acceptor/machine.js";'],
  ["src/adapters/nats/transport.ts", 'import { connect } from "nats";'],
  ["src/adapters/nats/transport.ts", 'import type { Transport } from "../../kernel/ports.js";'],
  ["src/adapters/msgpackr/codec.ts", 'import { C } from "@sinclair/typebox/compiler";'],
  ["src/adapters/lmdb/store.ts", 'import { statfs } from "node:fs/promises";'],
  ["src/adapters/memory/store.ts", 'import type { Vote } from "../../paxos/acceptor.js";'],
  ["src/broker/server.ts", 'import { createServer } from "node:net";'],
  ["src/client/connect.ts", 'import { session } from "../../actors/session/machine.js";'],
  ["src/sim/world/world.ts", 'import { roles } from "../../actors/index.js";'],
  ["src/sim/broken/outbox.ts", 'import { assign } from "xstate";'],
  ["src/charts/mermaid.ts", 'import type { AnyStateMachine } from "xstate";'],
  ["src/charts/write.ts", 'import { writeFileSync } from "node:fs";'],
  ["src/worker/config.ts", 'import { parse } from "yaml";'],
  ["src/worker/main.ts", "const machines = await import(path);"],
  ["src/cli/main.ts", 'import { Command } from "commander";'],
  ["src/cli/sim.ts", 'import { BROKEN } from "../sim/broken/index.js";'],
  ["src/cli/explore.ts", 'import { BROKEN } from "../sim/broken/index.js";'],
  ["src/index.ts", 'export { connect } from "./client/connect.js";'],
  ["test/cluster/up.test.ts", 'import { connect } from "nats";'],
];

describe("import directions", () => {
  it("hold in every file", () => {
    const findings = readTree()
      .filter(({ path }) => isCode(path))
      .flatMap((source) => checkImports(source));
    expect(report(findings)).toBe("");
  });

  it.each(bad)("refuse in %s: %s", (path, text) => {
    expect(checkImports({ path, text })).toHaveLength(1);
  });

  it.each(good)("allow in %s: %s", (path, text) => {
    expect(report(checkImports({ path, text }))).toBe("");
  });

  it("have a planted violation for every row that forbids anything", () => {
    const caughtBy = new Set(
      bad.map(([path, text]) => table.find((row) => !stillCaught(path, text, row.files))?.files),
    );
    const forbidding = table.filter((row) => !row.may.includes("*"));
    expect(forbidding.map((row) => row.files).filter((files) => !caughtBy.has(files))).toEqual([]);
  });
});

describe("what is broken on purpose", () => {
  const isSimulated = (path: string) => path.startsWith("src/sim/");
  const tree = readTree().filter(({ path }) => isCode(path));

  it.each(["src/worker/worker", "src/index", "src/client/connect", "src/worker/index"])(
    "is not reached from %s, by whatever way",
    (module) => {
      const reached = [...reach(module, tree)];
      expect(reached.length).toBeGreaterThan(10);
      expect(reached.filter(isSimulated)).toEqual([]);
    },
  );

  it("would be found behind several imports", () => {
    const planted = { path: "src/paxos/assert.ts", text: 'import "../sim/broken/index.js";' };
    const withIt = tree.map((source) => (source.path === planted.path ? planted : source));
    expect([...reach("src/worker/worker", withIt)].filter(isSimulated)).toContain(
      "src/sim/broken/index",
    );
  });
});

/** Whether an import is refused even if the row of `files` allowed everything. */
function stillCaught(path: string, text: string, files: string): boolean {
  const everything = ["src/", "actors/", "test/", "node:", "*"];
  const loose = table.map((row) => (row.files === files ? { files, may: everything } : row));
  return checkImports({ path, text }, loose).length > 0;
}

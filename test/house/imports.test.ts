/**
 * Goal: nobody imports against the directions of the table in imports.ts.
 * Method: the table is data (imports.ts); every import of every file is held against it; planted
 * imports, good and bad, show that the checker tells them apart.
 */
import { describe, expect, it } from "vitest";
import { table } from "./import-table.js";
import { checkImports, importRings, reach } from "./imports.js";
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
  ["src/paxos/ballot.ts", 'import type { Prepare } from "./wire/messages.js";'],
  ["src/paxos/wire/messages.ts", 'import { judgeBallot } from "../consensus/acceptor.js";'],
  ["src/paxos/consensus/acceptor.ts", 'import { beginAttempt } from "../single/synod.js";'],
  ["src/paxos/consensus/acceptor.ts", 'import { LogState } from "../log/log.js";'],
  ["src/paxos/single/synod.ts", 'import { ProposerState } from "../consensus/proposer.js";'],
  ["src/paxos/log/log.ts", 'import { GatewayState } from "../clients/gateway-state.js";'],
  ["src/paxos/clients/client.ts", 'import { prove } from "../proof/proof.js";'],
  ["src/paxos/proof/proof.ts", 'import type { Effect } from "../../kernel/effect.js";'],
  ["src/paxos/novelty/thing.ts", 'import { Ballot } from "../wire/messages.js";'],
  ["src/kernel/host.ts", 'import { createEmptyActor } from "xstate";'],
  ["src/kernel/host.ts", 'import { judgeBallot } from "../paxos/consensus/acceptor.js";'],
  ["src/kernel/store/store.ts", 'import { createTracer } from "../../trace/trace.js";'],
  ["src/trace/trace.ts", 'import type { Runner } from "../kernel/runner.js";'],
  ["src/trace/trace.ts", 'import { appendFileSync } from "node:fs";'],
  ["src/judge/read.ts", 'import type { History } from "../client/history.js";'],
  ["src/judge/judge.ts", 'import { digest } from "../paxos/digest.js";'],
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
  ["src/adapters/nats/transport.ts", 'import { prove } from "../../paxos/proof/proof.js";'],
  ["src/adapters/node/clock.ts", 'import { connect } from "nats";'],
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
  ["src/sim/world/world.ts", 'import { open } from "../../adapters/lmdb/store.js";'],
  ["src/sim/world/world.ts", 'import { performance } from "node:perf_hooks";'],
  ["src/sim/world/world.ts", 'import { acceptor } from "../../../actors/acceptor/machine.js";'],
  ["src/sim/world/world.ts", 'import type { Plan } from "../plan/plan.js";'],
  ["src/sim/plan/draw.ts", 'import { Faults } from "../faults/faults.js";'],
  ["src/sim/faults/faults.ts", 'import { Monitor } from "../monitor/monitor.js";'],
  ["src/sim/monitor/monitor.ts", 'import type { Plan } from "../plan/plan.js";'],
  ["src/sim/run/run.ts", 'import { connectNats } from "../../adapters/nats/transport.js";'],
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
  ["src/paxos/consensus/acceptor.ts", 'import { compare } from "../ballot.js";'],
  [
    "src/paxos/consensus/acceptor.ts",
    '/** An `import("node:fs")` in words. */ const s = "import fs";',
  ],
  ["src/kernel/step.ts", 'import { createEmptyActor } from "xstate";'],
  ["src/kernel/store/store.ts", 'import type { Ballot } from "../../paxos/ballot.js";'],
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
  ["src/sim/world/world.ts", 'import { roles } from "../../../actors/index.js";'],
  ["src/sim/run/histories.ts", 'import { checkHistory } from "../../judge/check.js";'],
  ["src/client/history.ts", 'import type { HistoryModel } from "../judge/format.js";'],
  ["src/trace/trace.ts", 'import type { Observer } from "../kernel/observer.js";'],
  ["src/kernel/bus/intake.ts", 'import { VERBS } from "../../paxos/wire/verbs.js";'],
  ["src/paxos/proof/proof.ts", 'import { LogState } from "../log/log.js";'],
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

describe("no two files import each other", () => {
  const planted = (texts: Record<string, string>) =>
    importRings(Object.entries(texts).map(([path, text]) => ({ path, text })));

  it("in src and actors", () => {
    const tree = readTree().filter(({ path }) => /^(?:src|actors)\/.*\.ts$/.test(path));
    expect(tree.length).toBeGreaterThan(300);
    expect(report(importRings(tree))).toBe("");
  });

  it("caught: two files, one of them by a type", () => {
    const found = planted({
      "src/a/a.ts": 'import { b } from "../b.js";',
      "src/b.ts": 'import type { A } from "./a/a.js";',
    });
    expect(found.map(({ message }) => message)).toEqual([
      "imports itself: src/a/a > src/b > src/a/a",
    ]);
  });

  it("caught: three files in a ring, and one that imports itself", () => {
    const found = planted({
      "src/a.ts": 'export { b } from "./b.js";',
      "src/b.ts": 'type C = import("./c.js").C;',
      "src/c.ts": 'const a = await import("./a.js"); import "./d.js";',
      "src/d.ts": 'import { d } from "./d.js";',
    });
    expect(found.map(({ path }) => path)).toEqual(["src/a.ts", "src/d.ts"]);
  });

  it("fine: two ways to one file", () => {
    const found = planted({
      "src/a.ts": 'import { b } from "./b.js"; import { c } from "./c.js";',
      "src/b.ts": 'import { c } from "./c.js";',
      "src/c.ts": 'import { x } from "xstate";',
    });
    expect(found).toEqual([]);
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

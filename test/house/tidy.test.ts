/**
 * Goal: the habits of this house hold without anyone watching.
 * Method: each rule is a pure function (rules.ts), run over the tree, and over a planted violation
 * and its clean twin.
 */
import { describe, expect, it } from "vitest";
import { kernelWords } from "./kernel-words.js";
import { checkLinks } from "./links.js";
import * as rules from "./rules.js";
import { type Finding, readTree, report, type SourceText, topLevel } from "./sources.js";

interface Case {
  readonly name: string;
  readonly rule: rules.Rule;
  /** [path, text] pairs that break the rule once each. */
  readonly bad: readonly (readonly [string, string])[];
  readonly good: readonly (readonly [string, string])[];
}

const tree = readTree();
const doors = rules.doorsOf(tree.find(({ path }) => path === "package.json")?.text ?? "{}");
const inMachine = (folder: string): string => ["", folder, "ann", "data"].join("/");
const body = (lines: number): string => "  work();\n".repeat(lines - 2);
const long = (lines: number): string => `function f() {\n${body(lines)}}`;
const leftover = ["TO", "DO"].join("");

const cases: readonly Case[] = [
  {
    name: "no clock, randomness, timer, process or console in rules, charts and simulation",
    rule: rules.noHostCalls,
    bad: [
      ["src/paxos/log/log.ts", "const t = Date.now();"],
      ["src/paxos/log/log.ts", "const t = new Date();"],
      ["actors/proposer/machine.ts", "const r = Math.random();"],
      ["actors/proposer/machine.ts", "const { random } = Math;"],
      ["actors/proposer/machine.ts", "const t = performance.now();"],
      ["actors/proposer/machine.ts", "setTimeout(retry, 10);"],
      ["actors/proposer/machine.ts", "const i = setInterval(retry, 10);"],
      ["src/paxos/log/log.ts", "if (process.env['X']) {}"],
      ["src/paxos/log/log.ts", "console.log(1);"],
      ["src/paxos/digest.ts", "crypto.randomUUID();"],
      ["src/paxos/digest.ts", "globalThis['Date'];"],
      ["src/sim/world/world.ts", "setImmediate(step);"],
      ["src/judge/judge.ts", "const t = Date.now();"],
      ["src/trace/file.ts", "const t = Date.now();"],
    ],
    good: [
      [
        "src/paxos/log/log.ts",
        "/** Date.now, of a process. */ const s = 'console.log'; Math.max(1, 2);",
      ],
      [
        "src/paxos/log/log.ts",
        "effects.setTimeout; const x = { process: 1 }; x.process.toFixed();",
      ],
      ["src/worker/main.ts", "setTimeout(stop, Date.now()); process.exit(1);"],
    ],
  },
  {
    name: "files of at most 400 lines",
    rule: rules.fileLength(),
    bad: [["src/paxos/log/log.ts", "a();\n".repeat(401)]],
    good: [
      ["src/paxos/log/log.ts", "a();\n".repeat(400)],
      ["src/paxos/README.md", "a\n".repeat(401)],
    ],
  },
  {
    name: "functions of at most 70 lines",
    rule: rules.functionLength(),
    bad: [
      ["src/paxos/log/log.ts", long(71)],
      ["src/paxos/log/log.ts", `const f = () => {\n${body(71)}};`],
      ["src/paxos/log/log.ts", `class A {\nconstructor() {\n${body(71)}}}`],
      ["test/paxos/log.test.ts", `it("x", () => {\n${body(71)}});`],
    ],
    good: [
      ["src/paxos/log/log.ts", long(70)],
      ["src/paxos/log/log.ts", `/**\n${" * why\n".repeat(9)} */\n${long(70)}`],
      ["test/paxos/log.test.ts", `describe("x", () => {\n${body(99)}});`],
      ["test/ports/store.suite.ts", `function s() {\ndescribe("x", y);\n${body(99)}}`],
    ],
  },
  {
    name: "lines of at most 100 columns",
    rule: rules.lineWidth,
    bad: [["src/paxos/log/log.ts", `// ${"x".repeat(98)}`]],
    good: [
      ["src/paxos/log/log.ts", `// ${"x".repeat(97)}`],
      ["src/paxos/log/log.ts", `// ${"⟨".repeat(97)}`],
      ["src/paxos/log/log.ts", `// https://example.org/${"x".repeat(98)}`],
      ["src/paxos/README.md", "x".repeat(101)],
    ],
  },
  {
    name: "no barrels but the doors",
    rule: rules.noBarrels(doors),
    bad: [
      ["src/paxos/index.ts", 'export { a } from "./a.js";'],
      ["src/paxos/all.ts", 'import { a } from "./a.js";\nexport { a };'],
      ["src/paxos/log/log.ts", 'export * from "./a.js";\nexport const b = 1;'],
    ],
    good: [
      ["src/index.ts", 'export { a } from "./a.js";'],
      ["actors/index.ts", 'export { a } from "./a.js";'],
      ["src/paxos/log/log.ts", 'export type { A } from "./a.js";\nexport const b = 1;'],
      ["src/cli/main.ts", 'import "./commands.js";'],
    ],
  },
  {
    name: "no file named utils",
    rule: rules.noUtils,
    bad: [["src/paxos/utils.ts", ""]],
    good: [["src/paxos/utility.ts", ""]],
  },
  {
    name: "no tests switched off",
    rule: rules.noTestSwitches,
    bad: [
      ["test/paxos/log.test.ts", 'it.only("x", () => {});'],
      ["test/paxos/log.test.ts", 'describe.skip("x", () => {});'],
      ["test/paxos/log.test.ts", 'test.todo("x");'],
      ["test/paxos/log.test.ts", 'it.each([1]).skip("x", () => {});'],
    ],
    good: [["test/paxos/log.test.ts", 'it("x", () => { stream.skip(1); "it.only"; });']],
  },
  {
    name: "nothing left for later",
    rule: rules.noLeftovers,
    bad: [["src/paxos/log/log.ts", `// ${leftover}: later`]],
    good: [["src/paxos/log/log.ts", `// ${leftover}lists are lists`]],
  },
  {
    name: "no inbox that its transport did not draw",
    rule: rules.inboxesOfTransports,
    bad: [
      ["src/client/asker.ts", 'const inbox = "_INBOX.".concat(id);'],
      ["src/adapters/nats/requests.ts", 'const inbox = "_INBOX." + id;'],
    ],
    good: [
      ["src/client/asker.ts", "const inbox = transport.newInbox();"],
      ["test/ports/nats.test.ts", 'const inboxPrefix = "_INBOX_ann";'],
    ],
  },
  {
    name: "one receipt",
    rule: rules.oneReceipt,
    bad: [
      ["src/client/a.ts", "interface A { position: number; slot: number; ballot: Ballot }"],
      ["src/kernel/a.ts", "type A = { kind: 'a'; slot: number; ballot: B; position: number };"],
      ["src/paxos/a.ts", "interface A { readonly ballot: B; readonly by: readonly string[] }"],
    ],
    good: [
      ["src/paxos/receipt.ts", "interface A { position: number; slot: number; ballot: Ballot }"],
      ["src/client/a.ts", "interface A extends Receipt { readonly body: Uint8Array }"],
      ["src/paxos/a.ts", "interface A { readonly ballot: B; readonly by: string }"],
    ],
  },
  {
    name: "quorums of a slot",
    rule: rules.quorumsOfSlots,
    bad: [
      ["src/paxos/a.ts", "isPhase2Quorum(cluster.quorums, acceptorIds(cluster), voters);"],
      ["actors/proposer/a.ts", "quorumStanding(context.cluster.quorums, ids, 1, present);"],
      ["actors/proposer/a.ts", "const { quorums, limits } = context.cluster;"],
    ],
    good: [
      ["src/paxos/a.ts", "formsPhase2Quorum(configAt(cluster, slot), voters);"],
      ["src/paxos/cluster.ts", "isPhase2Quorum(cluster.quorums, acceptorIds(cluster), voters);"],
      ["src/cli/a.ts", "describeQuorums(cluster.quorums, ids);"],
    ],
  },
  {
    name: "no paths of one machine",
    rule: rules.noMachinePaths,
    bad: [
      ["README.md", `see ${inMachine("home")}`],
      ["src/worker/config.ts", `const data = "${inMachine("root")}";`],
      ["test/cluster/up.test.ts", `"${["C:", "data"].join("\\")}"`],
    ],
    good: [["README.md", `\`<data>${inMachine("root")}\`, ./work/x, https://a.org/home/x`]],
  },
  {
    name: "no role and no verb is named in the kernel",
    rule: kernelWords,
    bad: [
      ["src/kernel/host.ts", 'if (definition.name === "learner") openFeed();'],
      ["src/kernel/inbox.ts", 'const newWork = new Set(["propose"]);'],
      ["src/kernel/runner.ts", 'switch (message.type) { case "decide": begin(); }'],
      ["src/kernel/bus/intake.ts", "const from = { role: `acceptor` };"],
    ],
    good: [
      [
        "src/kernel/answer.ts",
        'const answer = { kind: "refused" }; if (a.kind === "refused") b();',
      ],
      ["src/kernel/answer.ts", 'switch (answer.kind) { case "refused": tell(); }'],
      ["src/kernel/effect.ts", 'interface Refused { readonly kind: "refused" }'],
      ["src/trace/learner.ts", 'file.write("accept", {});'],
      ["src/sim/monitor/monitor.ts", 'if (name === "learner") watch();'],
    ],
  },
  {
    name: "a doc comment on every export of rules and kernel",
    rule: rules.docComments,
    bad: [
      ["src/paxos/log/log.ts", "export function f() {}"],
      ["src/paxos/log/log.ts", "export abstract class A {}"],
      ["src/kernel/host.ts", "export type A = 1;"],
      ["src/kernel/host.ts", "export interface A {}"],
      ["src/kernel/host.ts", "// not a doc comment\nexport const a = 1;"],
      ["src/kernel/host.ts", "/** */\nexport const a = 1;"],
      ["src/trace/file.ts", "export type A = 1;"],
    ],
    good: [
      ["src/paxos/log/log.ts", "/** Says so. */\nexport function f() {}\nfunction g() {}"],
      [
        "src/paxos/log/log.ts",
        "/** Both. */\nexport function f(): 1;\nexport function f() { return 1; }",
      ],
      ["src/worker/main.ts", "export function f() {}"],
    ],
  },
];

describe.each(cases)("$name", ({ rule, bad, good }) => {
  it("in the tree", () => {
    expect(report(tree.flatMap(rule))).toBe("");
  });

  it.each(bad.map(titled))("caught: %s", (_, source) => {
    expect(rule(source)).toHaveLength(1);
  });

  it.each(good.map(titled))("fine: %s", (_, source) => {
    expect(report(rule(source))).toBe("");
  });
});

/** A planted file with a title short enough for a list of tests. */
function titled([path, text]: readonly [string, string]): [string, SourceText] {
  return [`${path} ${JSON.stringify(text).slice(1, 60)}`, { path, text }];
}

describe("the tree as a whole", () => {
  it("explains every folder that shapes the design", () => {
    expect(report(rules.missingReadmes(tree.map(({ path }) => path)))).toBe("");
    const paths = ["src/adapters/nats/transport.ts", "src/paxos/a.ts", "src/paxos/README.md"];
    expect(rules.missingReadmes(paths).map(({ path }) => path)).toEqual([
      "src/adapters/nats/README.md",
    ]);
  });

  it("has documents whose links lead somewhere", () => {
    expect(report(checkLinks(tree))).toBe("");
    const page = "# One way\n[a](src/a.ts) [b](#one-way) [c](https://a.org/x) [d](src/)\n";
    const others = [{ path: "src/a.ts", text: "" }];
    expect(checkLinks([{ path: "README.md", text: page }, ...others])).toEqual([]);
    const lost = "[a](src/b.ts)\n[b](#two-ways)\n[c](src/a)\n";
    const found = checkLinks([{ path: "README.md", text: page + lost }, ...others]);
    expect(found.map(({ line }) => line)).toEqual([3, 4, 5]);
  });

  it("has nothing new at the top level", () => {
    expect(report(rules.strangers(topLevel()))).toBe("");
    expect(rules.strangers(["src", "docs"])).toHaveLength(1);
  });

  it("needs every allowance it grants", () => {
    expect(report(rules.idleAllowances(tree))).toBe("");
  });
});

describe("an allowance", () => {
  const file: SourceText = { path: "src/a.ts", text: long(80) };
  const grant = (lines: number, reason = "a table"): rules.Allowance[] => [
    { of: "src/a.ts#f", lines, reason },
  ];

  it("lets a function be as long as it says, not longer", () => {
    expect(rules.functionLength(grant(80))(file)).toEqual([]);
    expect(rules.functionLength(grant(79))(file)).toHaveLength(1);
    const whole = [{ of: "src/a.ts", lines: 500, reason: "a table" }];
    expect(rules.fileLength(whole)({ ...file, text: "a();\n".repeat(500) })).toEqual([]);
  });

  it("is refused when idle or without a reason", () => {
    const idle = (allowed: rules.Allowance[], text: string): Finding[] =>
      rules.idleAllowances([{ ...file, text }], allowed);
    expect(idle(grant(80), long(80))).toEqual([]);
    expect(idle(grant(80), long(70))).toHaveLength(1);
    expect(idle(grant(80, ""), long(80))).toHaveLength(1);
  });
});

it("the doors are those of package.json", () => {
  const exports = {
    ".": { default: "./dist/src/index.js" },
    "./x": { default: "./dist/src/x.js" },
  };
  expect(rules.doorsOf(JSON.stringify({ exports }))).toContain("src/x.ts");
});

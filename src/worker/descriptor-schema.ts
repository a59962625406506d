/**
 * The shape of a cluster descriptor, part by part. Each schema `says` what it wants, in words that
 * end the sentence "… must be".
 */
import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import type { Limits } from "../paxos/limits.js";

/** Most acceptors or proposers of a cluster. */
const membersMax = 64;
const kib = 1024;
const mib = 1024 * kib;
const minuteMs = 60_000;

/** Least and most of every limit: [least, most], both allowed. */
export const LIMIT_RANGES: { readonly [K in keyof Limits]: readonly [number, number] } = {
  windowMax: [1, 4096],
  pipelineSlotsMax: [1, 4096],
  queueBytesMax: [64 * kib, 4096 * mib],
  valueBytesMax: [1, 32 * mib],
  batchBytesMax: [1, 64 * mib],
  batchCommandsMax: [1, 65_536],
  partBytesMax: [4 * kib, 64 * mib],
  roundJumpMax: [1000, 2 ** 40],
  decideKeysMax: [1, 10_000_000],
  decideBytesMax: [64 * kib, 65_536 * mib],
  decideOpenMax: [1, 65_536],
  decidePatienceMs: [1000, 60 * minuteMs],
  decideLingerMs: [0, 60 * minuteMs],
  decideTalliesMax: [1, 2 ** 20],
  keyBytesMax: [1, 1000],
  inboxEventsMax: [64, 2 ** 20],
  inboxBytesMax: [mib, 4096 * mib],
  requestsOpenMax: [1, 2 ** 20],
  requestPatienceMs: [1000, 60 * minuteMs],
  sessionsMax: [1, 2 ** 20],
  sessionResultsMax: [1, 2 ** 20],
  idsMax: [1, 2 ** 24],
  holdBytesMax: [64 * kib, 4096 * mib],
  historyBytesMax: [64 * kib, 65_536 * mib],
  retryDelayMs: [10, minuteMs],
  backoffMinMs: [1, minuteMs],
  backoffMaxMs: [1, 10 * minuteMs],
  beaconMs: [10, minuteMs],
  suspectMs: [50, 10 * minuteMs],
  silenceMs: [50, 10 * minuteMs],
  confirmMs: [1, minuteMs],
  witnessMs: [0, minuteMs],
  repairDelayMs: [1, minuteMs],
  recheckMs: [10, 10 * minuteMs],
};

const whole = (minimum: number, maximum: number) =>
  Type.Integer({ minimum, maximum, says: `a whole number from ${minimum} to ${maximum}` });

const named = Type.String({
  pattern: "^[a-z0-9_-]{1,32}$",
  says: "1 to 32 characters out of a-z, 0-9, _ and -",
});

const drawn = Type.String({
  pattern: "^[0-9a-f]{32}$",
  says: "32 hexadecimal digits (0-9, a-f) in quotes, as `synod format` prints them",
});

const closed = <P extends Record<string, TSchema>>(properties: P, says: string) =>
  Type.Object(properties, { additionalProperties: false, says });

const member = closed({ id: named, store: drawn }, "{ id: …, store: … }");

const members = (what: string) =>
  Type.Array(member, {
    minItems: 1,
    maxItems: membersMax,
    says: `a list of 1 to ${membersMax} ${what}, each { id: …, store: … }`,
  });

/** Limits: any of them, each in its range. */
const limits = closed(
  Object.fromEntries(
    Object.entries(LIMIT_RANGES).map(([name, [least, most]]) => [
      name,
      Type.Optional(whole(least, most)),
    ]),
  ),
  "a mapping of limits, such as { windowMax: 64 }",
);

const root = closed(
  {
    synod: Type.Literal(1, { says: "1, the version of this format" }),
    name: named,
    id: drawn,
    epoch: whole(1, 2 ** 31 - 1),
    acceptors: members("acceptors"),
    proposers: members("proposers"),
    quorums: Type.Optional(Type.Unknown()),
    learn: Type.Optional(Type.Unknown()),
    limits: Type.Optional(limits),
  },
  "a mapping that begins with `synod: 1`",
);

const flexible = closed(
  {
    flexible: closed(
      { phase1: whole(1, membersMax), phase2: whole(1, membersMax) },
      "{ phase1: …, phase2: … }",
    ),
  },
  "{ flexible: { phase1: …, phase2: … } }",
);

const grid = closed(
  {
    grid: Type.Array(
      Type.Array(named, { minItems: 1, says: "a row of at least one acceptor id: [a1, a2]" }),
      { minItems: 1, maxItems: membersMax, says: "a list of rows of acceptor ids" },
    ),
  },
  "{ grid: [[a1, a2], [a3, a4]] }",
);

const some = closed(
  {
    some: Type.Array(named, {
      minItems: 1,
      maxItems: membersMax,
      says: "a list of 1 or more learner ids: [l1]",
    }),
  },
  "{ some: [l1] }",
);

const anyQuorums = Type.Union([Type.Literal("majority"), flexible, grid], {
  says: "majority, { flexible: { phase1: …, phase2: … } } or { grid: [[a1, a2], [a3, a4]] }",
});

const anyLearn = Type.Union([Type.Literal("leader"), Type.Literal("all"), some], {
  says: "leader, all or { some: [l1] }",
});

/** A descriptor as its file says it. */
export type Written = Omit<Static<typeof root>, "quorums" | "learn" | "limits"> & {
  readonly quorums?: Static<typeof anyQuorums>;
  readonly learn?: Static<typeof anyLearn>;
  readonly limits?: Partial<Limits>;
};

/** Checks the whole but for quorums and learn, of which there are several kinds. */
export const checkRoot = TypeCompiler.Compile(root);

const checks = {
  flexible: TypeCompiler.Compile(flexible),
  grid: TypeCompiler.Compile(grid),
  some: TypeCompiler.Compile(some),
  quorums: TypeCompiler.Compile(anyQuorums),
  learn: TypeCompiler.Compile(anyLearn),
};

/** Picks the check for the kind that was meant, so that an error names what is wrong in it. */
export function checkFor(part: "quorums" | "learn", value: unknown) {
  if (typeof value === "object" && value !== null) {
    if (part === "quorums" && "flexible" in value) return checks.flexible;
    if (part === "quorums" && "grid" in value) return checks.grid;
    if (part === "learn" && "some" in value) return checks.some;
  }
  return checks[part];
}

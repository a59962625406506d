/**
 * The registry: every role, its chart, and what its host must know to run it.
 */
import type { Refusal } from "../src/kernel/effect.js";
import type { Incoming } from "../src/kernel/ports.js";
import { type Door, type RoleDefinition, stateName } from "../src/kernel/role.js";
import { BODY_TYPES, type BodyType } from "../src/paxos/command.js";
import type { Limits } from "../src/paxos/limits.js";
import type { Message, RoleName } from "../src/paxos/wire/messages.js";
import { acceptorStatus, acceptorWaits, showAcceptor } from "./acceptor/context.js";
import { acceptorMachine } from "./acceptor/machine.js";
import { acceptorServices } from "./acceptor/services.js";
import { electorStatus, electorWaits, showElector } from "./elector/context.js";
import { electorMachine } from "./elector/machine.js";
import { electorServices } from "./elector/services.js";
import { gatewayIsBusy, gatewayStatus, gatewayWaits, showGateway } from "./gateway/context.js";
import { gatewayMachine } from "./gateway/machine.js";
import { learnerLearned, learnerStatus, learnerWaits, showLearner } from "./learner/context.js";
import { learnerMachine } from "./learner/machine.js";
import { learnerServices } from "./learner/services.js";
import { proposerStatus, proposerWaits, showProposer } from "./proposer/context.js";
import { proposerMachine } from "./proposer/machine.js";
import { sessionRole } from "./session/role.js";
import {
  showSynodProposer,
  synodProposerIsBusy,
  synodProposerStatus,
  synodProposerWaits,
} from "./synod-proposer/context.js";
import { synodProposerMachine } from "./synod-proposer/machine.js";

const acceptor: RoleDefinition = {
  name: "acceptor",
  machine: acceptorMachine,
  stateful: true,
  services: acceptorServices,
  watchesForDuplicate: true,
  remembersStores: true,
  status: (snapshot) => acceptorStatus(snapshot.context),
  show: (snapshot) => showAcceptor(snapshot.context),
  waits: (snapshot, nowMs) => acceptorWaits(stateName(snapshot), snapshot.context, nowMs),
};

function keyOf(message: Message): string | undefined {
  return "key" in message ? message.key : undefined;
}

/** Refuses a value that no message of phase 2 could carry, before it begins an instance. */
function refuseValue(message: Message, limits: Limits, payloadBytesMax: number): Refusal | null {
  if (message.type !== "decide" || message.value === null) return null;
  const { length } = message.value;
  if (length <= limits.valueBytesMax) return null;
  return {
    kind: "refused",
    code: "too_large",
    message:
      `the value has ${length} bytes, ${limits.valueBytesMax} at most ` +
      `(the server takes messages of ${payloadBytesMax} bytes)`,
    mayHaveHappened: false,
  };
}

const synodProposer: RoleDefinition = {
  name: "synod-proposer",
  machine: synodProposerMachine,
  stateful: false,
  instances: {
    keyOf,
    begins: ({ type }) => type === "decide",
    countMax: ({ decideOpenMax }) => decideOpenMax,
  },
  refuses: refuseValue,
  remembersStores: true,
  busy: (snapshot) => synodProposerIsBusy(snapshot.context),
  status: (snapshot) => synodProposerStatus(snapshot.context),
  show: (snapshot) => showSynodProposer(snapshot.context),
  waits: (snapshot, nowMs) => synodProposerWaits(stateName(snapshot), snapshot.context, nowMs),
};

const proposer: RoleDefinition = {
  name: "proposer",
  machine: proposerMachine,
  stateful: true,
  answersPings: true,
  remembersStores: true,
  heedsSlowness: true,
  heedsNeighbours: true,
  status: (snapshot) => proposerStatus(stateName(snapshot), snapshot.context),
  show: (snapshot) => showProposer(snapshot.context),
  waits: (snapshot, nowMs) => proposerWaits(stateName(snapshot), snapshot.context, nowMs),
};

const learner: RoleDefinition = {
  name: "learner",
  machine: learnerMachine,
  stateful: false,
  services: learnerServices,
  remembersStores: true,
  doors: [
    { subject: "history", queue: "learner", isStructured: true, toEvent: readHistoryRequest },
  ],
  learned: learnerLearned,
  status: (snapshot) => learnerStatus(snapshot.context),
  show: (snapshot) => showLearner(snapshot.context),
  waits: (snapshot, nowMs) => learnerWaits(stateName(snapshot), snapshot.context, nowMs),
};

const elector: RoleDefinition = {
  name: "elector",
  machine: electorMachine,
  stateful: false,
  services: electorServices,
  remembersStores: true,
  status: (snapshot) => electorStatus(snapshot.context),
  show: (snapshot) => showElector(snapshot.context),
  waits: (snapshot, nowMs) => electorWaits(stateName(snapshot), snapshot.context, nowMs),
};

const gateway: RoleDefinition = {
  name: "gateway",
  machine: gatewayMachine,
  stateful: false,
  remembersStores: true,
  doors: [{ subject: "propose", queue: "gateway", isStructured: false, toEvent: readProposal }],
  busy: (snapshot) => gatewayIsBusy(snapshot.context),
  status: (snapshot) => gatewayStatus(snapshot.context),
  show: (snapshot) => showGateway(snapshot.context),
  waits: (snapshot, nowMs) => gatewayWaits(stateName(snapshot), snapshot.context, nowMs),
};

type Read = ReturnType<Door["toEvent"]>;

function refuse(code: string, message: string): Read {
  return { refused: { kind: "refused", code, message, mayHaveHappened: false } };
}

/** Reads what came through the door `propose`: the body is the value. */
function readProposal(incoming: Incoming, limits: Limits): Read {
  const { payload, headers } = incoming;
  if (payload.length > limits.valueBytesMax) {
    const most = limits.valueBytesMax;
    return refuse("too_large", `the value has ${payload.length} bytes, ${most} at most`);
  }
  const valueType = headers?.["Synod-Type"] ?? "bytes";
  if (!isBodyType(valueType)) {
    return refuse("invalid", `header Synod-Type must be one of ${BODY_TYPES.join(", ")}`);
  }
  const id = headers?.["Nats-Msg-Id"] ?? "";
  if (new TextEncoder().encode(id).length > 255) {
    return refuse("invalid", "header Nats-Msg-Id must have at most 255 bytes");
  }
  const event = { type: "door.propose", body: payload, valueType, id };
  return { event };
}

function isBodyType(type: string): type is BodyType {
  return (BODY_TYPES as readonly string[]).includes(type);
}

/** Reads what came through the door `history`: {"after": 0, "max": 1000, "applied": 0}. */
function readHistoryRequest(_incoming: Incoming, _limits: Limits, body: unknown): Read {
  if (typeof body === "object" && body !== null) {
    const { after = 0, max = 1000, applied = 0 } = body as Partial<Record<string, unknown>>;
    const event = { type: "history", after, max, applied };
    if (isCount(after) && isCount(max) && isCount(applied)) return { event };
  }
  const like = '{"after": 0, "max": 1000}';
  return refuse("invalid", `the body must be JSON or MessagePack like ${like}, whole numbers ≥ 0`);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Every role by its name. */
export const roles: Readonly<Record<RoleName, RoleDefinition>> = {
  acceptor,
  "synod-proposer": synodProposer,
  proposer,
  learner,
  elector,
  gateway,
  session: sessionRole,
};

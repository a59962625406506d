/**
 * Liveness: when faults end, and the cluster is left as the plan's ending says, whatever was asked
 * must be answered, and every learner must have learned the same.
 */
import { parseSubject } from "../../kernel/bus/subject.js";
import type { RoleName } from "../../paxos/wire/messages.js";
import type { Faults } from "../faults/faults.js";
import type { Network } from "../faults/network.js";
import type { Monitor } from "../monitor/monitor.js";
import type { Plan } from "../plan/plan.js";
import { pick } from "../plan/setup.js";
import type { Coverage } from "../world/coverage.js";
import type { Member } from "../world/process.js";
import type { World } from "../world/world.js";
import type { Clients } from "./clients.js";

/** Roles without which nobody is served. */
const NEEDED: readonly RoleName[] = ["proposer", "elector", "learner", "gateway", "synod-proposer"];

/** What a proposer asks acceptors, and what they answer. */
const ASKING = new Set(["prepare", "accept", "ask-leader"]);
const ANSWERING = new Set(["promise", "accepted", "nack", "last-heard"]);

/** The parts of a run that its end is asked of. */
interface Ended {
  readonly plan: Plan;
  readonly world: World;
  readonly network: Network;
  readonly faults: Faults;
  readonly clients: Clients;
  readonly monitor: Monitor;
  readonly coverage: Coverage;
}

/** Ends all faults, and takes away what the ending takes away for ever. */
export function endFaults(run: Ended): void {
  const { faults, plan, coverage } = run;
  coverage.count(`ending: ${plan.ending}`);
  faults.end();
  if (plan.ending === "minority dead") buryMinority(run);
  if (plan.ending === "one proposer connected") connectOneProposer(run);
}

/** Says what is not answered or not learned; null if all is well. */
export function whatIsMissing({ clients, world, monitor }: Ended): string | null {
  if (clients.open > 0) return `${clients.open} requests have no answer`;
  const learners = [...world.processes.values()].flatMap(({ host }) =>
    (host?.runners ?? []).filter(({ definition }) => definition.name === "learner"),
  );
  for (const learner of learners) {
    const snapshot = learner.snapshots().get("");
    const { appliedWatermark = 0 } =
      snapshot === undefined ? {} : learner.definition.status(snapshot);
    if (appliedWatermark < monitor.ledger.chosenPrefix) {
      const all = `of the ${monitor.ledger.chosenPrefix} that are chosen`;
      return `learner ${learner.id} has applied ${appliedWatermark} slots ${all}`;
    }
    const unpublished = monitor.unpublished(learner);
    if (unpublished !== null) return unpublished;
  }
  return null;
}

/** Kills as many processes as the rest can do without. */
function buryMinority(run: Ended): void {
  const { faults, world } = run;
  const random = world.random.fork("ending");
  const names = [...faults.places.keys()];
  for (let at = names.length - 1; at > 0; at--) {
    const other = random.integer(at + 1);
    [names[at], names[other]] = [names[other] as string, names[at] as string];
  }
  const dead = new Set<string>();
  for (const name of names) {
    const left = names.filter((one) => one !== name && !dead.has(one));
    const members = left.flatMap((one) => faults.places.get(one) ?? []);
    const isServed = NEEDED.every((role) => members.some((member) => member[0] === role));
    const lost = [...dead, name].flatMap((one) => idsOf(faults.places.get(one) ?? [], "acceptor"));
    if (!isServed || !hasHintedProposer(members) || !faults.canMiss(...lost)) continue;
    dead.add(name);
    world.kill(name);
  }
}

/** An elector is of use if a proposer lives that it may name. */
function hasHintedProposer(members: readonly Member[]): boolean {
  return idsOf(members, "proposer").length > 0 && idsOf(members, "elector").length > 0;
}

/** Cuts every other proposer off from the acceptors of other processes. */
function connectOneProposer({ network, world }: Ended): void {
  const { name, proposers } = world.cluster;
  const connected = pick(world.random.fork("ending"), proposers).id;
  const space = { prefix: "synod", cluster: name };
  network.isCut = (subject) => {
    const route = parseSubject(space, subject);
    if (route === undefined) return false;
    const { toRole, verb, toId, fromId } = route;
    if (toRole === "acceptor") return ASKING.has(verb) && fromId !== connected;
    return toRole === "proposer" && ANSWERING.has(verb) && toId !== connected;
  };
}

function idsOf(members: readonly Member[], role: RoleName): string[] {
  return members.flatMap(([name, id]) => (name === role ? [id] : []));
}

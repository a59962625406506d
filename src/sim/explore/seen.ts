/** Which sights a move of an actor shows, and a state of the world. */
import { sameBallot } from "../../paxos/ballot.js";
import type { ProposerState } from "../../paxos/consensus/proposer.js";
import { digest } from "../../paxos/digest.js";
import { chosenProposals, type Evidence } from "../../paxos/proof/evidence.js";
import { isNoop } from "../../paxos/value.js";
import type { Message } from "../../paxos/wire/messages.js";
import type { Actor, Moved } from "./actor.js";
import { bit } from "./sights.js";
import type { Single, World } from "./world.js";

/** What is seen when an acceptor hears a request. */
export function sightsOfAcceptor(message: Message, moved: Moved): number {
  const asks = ["prepare", "accept", "key-prepare", "key-accept"].includes(message.type);
  const last = moved.actor.writes[moved.actor.writes.length - 1];
  const said = [...moved.sent, ...(last?.held ?? [])].map((effect) =>
    effect.kind === "send" ? effect.message.type : "",
  );
  const isGranted = said.some((type) => /promise|accepted/.test(type));
  const isRefused = said.some((type) => /nack/.test(type));
  if (!asks || moved.records.length > 0 || !isGranted || isRefused) return 0;
  return bit("duplicate-delivered");
}

/** What is seen when a crash hits an actor. */
export function sightsOfCrash(actor: Actor, isAcceptor: boolean): number {
  const lost = actor.writes.length > 0 ? bit("sync-lost") : 0;
  const reloaded = actor.life > 0 ? bit("crash-after-reload") : 0;
  return lost | reloaded | (isAcceptor ? 0 : bit("proposer-restarted"));
}

/** What is seen when an acceptor's disk is full. */
export function sightsOfFull(before: Actor): number {
  return before.writes.length > 0 ? bit("sync-lost") : 0;
}

/** What is seen when a proposer or learner moves. @param heard what it heard, if it heard one */
export function sightsOfSingle(
  world: World,
  single: Single,
  before: Actor,
  moved: Moved,
  heard: Message | null,
): number {
  const from = before.snapshot.value;
  const to = moved.actor.snapshot.value;
  let seen = 0;
  if (from !== to && (to === "backingOff" || to === "preempted")) seen |= bit("preempted");
  if (heard?.type === "beacon" && isBusy(from) && to === "standby") seen |= bit("leader-deposed");
  if (heard !== null && "ballot" in heard && isOld(before, heard)) seen |= bit("late-answer");
  if (heard?.type === "promise" && isBegunAgain(before, moved.actor)) {
    seen |= bit("promise-begun-again");
  }
  if (heard?.type === "promise" && isWrong(world, heard.chosenWatermark)) {
    seen |= bit("wrong-watermark");
  }
  if (single.role === "learner" && heard?.type.startsWith("key-") === true) {
    const { data } = moved.actor.snapshot.context as { data: { keys: { decided: Map<0, 0> } } };
    if (data.keys.decided.size > 0) seen |= bit("learner-learned");
  }
  const last = moved.actor.writes[moved.actor.writes.length - 1];
  for (const effect of [...moved.sent, ...(last?.held ?? [])]) {
    if (effect.kind === "broadcast") seen |= sightsOfProposal(world, single, effect.message);
  }
  return seen;
}

/** Says whether a promise of which parts had come is now another answer of that acceptor. */
function isBegunAgain(before: Actor, after: Actor): boolean {
  const assembliesOf = ({ snapshot }: Actor) =>
    (snapshot.context as { data: ProposerState }).data.assemblies;
  const known = assembliesOf(before);
  return [...assembliesOf(after)].some(([acceptor, { incarnation, answer }]) => {
    const earlier = known.get(acceptor);
    if (earlier === undefined) return false;
    return earlier.incarnation !== incarnation || earlier.answer !== answer;
  });
}

/** In a world with fewer slots than the window, no true watermark of an acceptor is above 0. */
function isWrong(world: World, watermark: number): boolean {
  return world.falsify !== undefined && watermark > 0;
}

function isBusy(state: unknown): boolean {
  return state === "preparing" || state === "adopting" || typeof state === "object";
}

function isOld(actor: Actor, message: Message): boolean {
  if (!/promise|accepted|nack/.test(message.type) || !("ballot" in message)) return false;
  return !sameBallot(message.ballot, ballotOf(actor));
}

/** The ballot that a proposer works on. */
export function ballotOf({ snapshot }: Actor) {
  const context = snapshot.context as {
    attempt?: { ballot: Message & never } | null;
    data?: { ballot?: null };
  };
  return context.attempt?.ballot ?? context.data?.ballot ?? null;
}

function sightsOfProposal(world: World, single: Single, message: Message): number {
  if (message.type === "prepare") return message.fromSlot > 0 ? bit("later-slots-asked") : 0;
  if (message.type === "key-accept") return isOwn(world, single, message.digest) ? 0 : adopted();
  if (message.type !== "accept") return 0;
  let seen = 0;
  for (const value of message.values) {
    if (isNoop(value)) seen |= bit("hole-filled");
    else if (!isOwn(world, single, digest(value))) seen |= adopted();
  }
  return seen;
}

function adopted(): number {
  return bit("vote-adopted");
}

/** Says whether a value is one that this proposer wishes for. */
function isOwn(world: World, single: Single, name: string): boolean {
  return world.wishes.get(name)?.startsWith(single.wish) === true;
}

/** What a state shows. */
export function sightsOfEvidence(world: World, evidence: Evidence): number {
  const chosen = chosenProposals(evidence);
  let seen = chosen.length > 0 ? bit("value-chosen") : 0;
  const places = new Set<string>();
  for (const { key, slot, ballot, digest: name } of chosen) {
    const place = `${key} ${slot}`;
    if (places.has(place)) seen |= bit("chosen-twice");
    places.add(place);
    const owner = world.singles.find(({ id }) => ballot.owner.startsWith(`${id}.`));
    if (owner !== undefined && world.wishes.has(name) && !isOwn(world, owner, name)) {
      seen |= bit("adopted-chosen");
    }
  }
  return seen;
}

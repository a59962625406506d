/**
 * Goal: the sentences of Paxos Made Simple, section 3, hold for our rules.
 * Method: as in paper.test.ts, with the rules of acceptor, proposer and learner for all slots.
 */
import { describe, expect, it } from "vitest";
import type { Ballot } from "../../src/paxos/ballot.js";
import { castVotes } from "../../src/paxos/consensus/acceptor.js";
import {
  LearnerState,
  noteAccept,
  noteChosenRange,
  takeChosen,
} from "../../src/paxos/consensus/learner.js";
import { addPromisePart, promisesSuffice } from "../../src/paxos/consensus/promises.js";
import {
  adopt,
  beginBallot,
  countVotes,
  ProposerState,
  takeAccepts,
  takeLateAccepts,
} from "../../src/paxos/consensus/proposer.js";
import { enqueue, fillWindow } from "../../src/paxos/consensus/queue.js";
import { digest } from "../../src/paxos/digest.js";
import { DEFAULT_LIMITS } from "../../src/paxos/limits.js";
import type { CastVote, IssuedProposal } from "../../src/paxos/proof/evidence.js";
import { firstViolation } from "../../src/paxos/proof/invariants.js";
import { highestVote } from "../../src/paxos/single/synod.js";
import { NOOP, openValue } from "../../src/paxos/value.js";
import type { Accepted, Promise1b, SlotVote } from "../../src/paxos/wire/messages.js";
import { acceptOf, command, LogAcceptor, nothing, numbered } from "../support/paper.js";
import { makeCluster } from "../support/synod-world.js";

/** Slots with a vote. */
function slotsOf(votes: readonly SlotVote[]): number[] {
  return votes.map(({ slot }) => slot);
}

describe("3 Implementing a State Machine: phase 1", () => {
  it("the value to be proposed is not chosen until phase 2", () => {
    const acceptor = new LogAcceptor();
    expect(acceptor.reported(1, 0)).toEqual([]); // free to propose anything, later
    expect(acceptor.accept(1, 0, command("late"))).toEqual([0]);
  });

  it("executes phase 1 for infinitely many instances of the consensus algorithm", () => {
    const acceptor = new LogAcceptor();
    acceptor.prepare(5, 135);
    for (const slot of [135, 140, 2 ** 40]) {
      expect(acceptor.accept(4, slot, command("x"))).toBe("stale");
      expect(acceptor.accept(5, slot, command("x"))).toEqual([slot]);
    }
    // Differs: one promise for the whole log; slots below `fromSlot` are bound, too.
    expect(acceptor.accept(4, 7, command("x"))).toBe("stale");
  });

  it("sending a single reasonably short message to the other servers", () => {
    const acceptor = new LogAcceptor();
    acceptor.prepare(5, 0);
    expect(acceptor.kept).toEqual([{ kind: "promise", ballot: numbered(5) }]); // one record, too
  });

  it("more than a simple OK only if it has already received a phase 2 message", () => {
    const acceptor = new LogAcceptor();
    acceptor.prepare(1, 0);
    expect(acceptor.reported(2, 0)).toEqual([]);
    acceptor.accept(2, 135, command("x"));
    acceptor.accept(2, 140, command("y"));
    expect(slotsOf(acceptor.reported(3, 0))).toEqual([135, 140]);
    expect(slotsOf(acceptor.reported(4, 136))).toEqual([140]);
    expect(slotsOf(acceptor.reported(5, 141))).toEqual([]);
  });

  it("can respond for all instances with a single reasonably short message. Differs: parts", () => {
    const acceptor = new LogAcceptor();
    for (const slot of [0, 1, 2, 3, 4])
      acceptor.accept(1, slot, new Uint8Array(1000).fill(slot + 1));
    const parts = acceptor.prepare(2, 0, { ...DEFAULT_LIMITS, partBytesMax: 3000 }) as Promise1b[];
    expect(parts.map(({ votes }) => slotsOf(votes))).toEqual([[0, 1], [2, 3], [4]]);
    expect(parts.map(({ part, parts, answer }) => [part, parts, answer])).toEqual([
      [0, 3, 0],
      [1, 3, 0],
      [2, 3, 0],
    ]);
    const [again] = acceptor.prepare(2, 0) as Promise1b[];
    expect(again?.answer).toBe(1); // parts of two answers never combine
  });

  it("should know most of the commands that have already been chosen. Differs: a watermark", () => {
    const acceptor = new LogAcceptor();
    const limits = { ...DEFAULT_LIMITS, windowMax: 2 };
    for (const slot of [0, 1, 2, 3, 4]) {
      castVotes(acceptor.state, [acceptOf(1, slot, command(`${slot}`))], limits);
    }
    // No leader proposes 4 before it knows that all below 3 are chosen (α is 2).
    const [answer] = acceptor.prepare(2, 0, limits) as Promise1b[];
    expect(answer).toMatchObject({ chosenWatermark: 3, trimmed: 0 });
    // Below, the leader learns, and never proposes.
    expect(slotsOf(answer?.votes ?? [])).toEqual([3, 4]);
  });

  it("the outcome of these executions determine the value … in instances 135 and 140", () => {
    const acceptors = [new LogAcceptor(), new LogAcceptor(), new LogAcceptor()] as const;
    for (const acceptor of acceptors) acceptor.prepare(1, 0);
    acceptors[0].accept(1, 135, command("old"));
    acceptors[1].accept(2, 135, command("x"));
    acceptors[1].accept(2, 140, command("y"));
    const reports = [acceptors[0], acceptors[1]].map((acceptor) => acceptor.reported(3, 135));
    const valueAt = (slot: number) =>
      highestVote(reports.flat().filter((vote) => vote.slot === slot))?.value ?? null;
    expect(valueAt(135)).toEqual(command("x"));
    expect(valueAt(140)).toEqual(command("y"));
    for (const slot of [136, 137, 138, 139, 141]) expect(valueAt(slot)).toBeNull();
  });
});

describe("3 Implementing a State Machine: the gap", () => {
  it("a special “no-op” command that leaves the state unchanged", () => {
    expect(openValue(NOOP)).toEqual({ kind: "noop" }); // it opens to no command at all
    const acceptor = new LogAcceptor();
    expect(acceptor.accept(3, 136, NOOP, NOOP)).toEqual([136, 137]);
    expect(acceptor.reported(4, 136).map(({ value }) => value)).toEqual([NOOP, NOOP]);
  });

  it("it will retransmit those messages", () => {
    const acceptor = new LogAcceptor();
    acceptor.accept(1, 141, command("141"), command("142"));
    expect(acceptor.kept.map(({ kind }) => kind)).toEqual(["promise", "vote", "vote", "marks"]);
    expect(acceptor.accept(1, 141, command("141"), command("142"))).toEqual([141, 142]);
    expect(acceptor.kept).toEqual([]); // the same answer, nothing to write
  });

  it("A gap of up to α−1 commands could then arise", () => {
    const alpha = DEFAULT_LIMITS.windowMax;
    const acceptor = new LogAcceptor();
    acceptor.accept(1, 0, command("i"));
    acceptor.accept(1, alpha, command("i + α")); // all between were lost
    const [answer] = acceptor.prepare(2, 0) as Promise1b[];
    // Its vote for i + α shows that i is chosen; it has no vote in the gap of α − 1.
    const chosen = answer?.chosenWatermark ?? 0;
    expect([chosen - 1, slotsOf(answer?.votes ?? [])]).toEqual([0, [alpha]]);
  });
});

/** A new leader, server to instances 1–134, 138 and 139, as in the paper; 0 is chosen with them. */
class PaperLeader {
  readonly limits = { ...DEFAULT_LIMITS, windowMax: 5, batchCommandsMax: 1 };
  readonly cluster = makeCluster(3, { kind: "majority" }, this.limits);
  readonly state = new ProposerState();

  constructor() {
    this.state.chosenWatermark = 135;
    this.state.highestRound = 5;
    beginBallot(this.state, "leader");
  }

  get n(): Ballot {
    return this.state.ballot as Ballot;
  }

  /** Phase 1 with two acceptors, which report these votes. */
  phase1(one: readonly SlotVote[], other: readonly SlotVote[]): void {
    for (const [index, votes] of [one, other].entries()) {
      const parts = { answer: 0, part: 0, parts: 1, trimmed: 0, chosenWatermark: 135 };
      const promise = { type: "promise", ballot: this.n, ...parts, votes } as const;
      addPromisePart(this.state, `a${index}`, 1, promise);
    }
    expect(promisesSuffice(this.state, this.cluster)).toBe(true);
    adopt(this.state, 0);
  }

  /** Clients ask for these. */
  ask(...texts: readonly string[]): void {
    const commands = texts.map((text) => new TextEncoder().encode(text));
    enqueue(this.state, commands, this.limits);
    fillWindow(this.state, this.limits, 0);
  }

  /** What it proposes now: the slot and the value, a no-op as "no-op". */
  proposes(nowMs = 0): [number, string][] {
    const late = takeLateAccepts(this.state, this.cluster, nowMs);
    return [...takeAccepts(this.state, this.cluster, nowMs), ...late].flatMap((accept) =>
      accept.values.map((value, index): [number, string] => {
        const opened = openValue(value);
        const text =
          opened.kind === "noop" ? "no-op" : new TextDecoder().decode(opened.commands[0]);
        return [accept.firstSlot + index, text];
      }),
    );
  }

  /** A majority accepts what was proposed in these slots. */
  chosen(...slots: readonly number[]): void {
    const votes = slots.map((slot) => ({ slot, digest: this.state.open.get(slot)?.digest ?? "" }));
    for (const acceptor of ["a0", "a1"]) {
      const accepted: Accepted = { type: "accepted", ballot: this.n, votes };
      countVotes(this.state, acceptor, accepted, this.cluster, 0);
    }
  }
}

/** A vote of an earlier leader for one command. */
function earlier(n: number, slot: number, text: string): SlotVote {
  const value = command(text);
  return { slot, ballot: { round: n, owner: "earlier" }, value, digest: digest(value) };
}

/** The paper's example: 135 and 140 are constrained, 136 to 139 are not. */
function newLeader(): PaperLeader {
  const leader = new PaperLeader();
  leader.phase1([earlier(3, 135, "old"), earlier(4, 140, "z")], [earlier(4, 135, "x")]);
  return leader;
}

describe("3 Implementing a State Machine: the new leader", () => {
  it("executes phase 1 of instances 135–137 and all above 139. Differs: all of them", () => {
    // Ours asks from the first instance it does not know, 138 and 139 among them.
    expect(newLeader().state.fromSlot).toBe(135);
  });

  it("then executes phase 2 for instances 135 and 140, thereby choosing commands", () => {
    expect(
      newLeader()
        .proposes()
        .filter(([, text]) => text !== "no-op"),
    ).toEqual([
      [135, "x"],
      [140, "z"],
    ]);
  });

  it("fill the gap immediately by proposing, as commands 136 and 137, a special “no-op”", () => {
    const leader = newLeader();
    const gap = [136, 137, 138, 139].map((slot) => [slot, "no-op"]);
    expect(leader.proposes()).toEqual([[135, "x"], ...gap, [140, "z"]]);
    leader.chosen(135, 140);
    expect(leader.state.chosenWatermark).toBe(136); // 140 can't be executed: the gap is not filled
    leader.chosen(136, 137, 138, 139);
    expect(leader.state.chosenWatermark).toBe(141);
  });

  it("could take the next two commands requested by clients. Differs: no-ops only", () => {
    const leader = newLeader();
    leader.ask("next");
    expect(leader.proposes().filter(([slot]) => slot < 141 && slot > 135)).toHaveLength(5);
    leader.chosen(135, 136, 137, 138, 139, 140);
    fillWindow(leader.state, leader.limits, 0);
    expect(leader.proposes()).toEqual([[141, "next"]]);
  });

  it("commands 1–141 … chosen: it begins sending the next with the next number", () => {
    const leader = newLeader();
    leader.proposes();
    leader.chosen(135, 136, 137, 138, 139, 140);
    leader.ask("141", "142");
    expect(leader.proposes()).toEqual([
      [141, "141"],
      [142, "142"],
    ]);
  });

  it("It can propose command 142 before it learns that its proposed command 141 is chosen", () => {
    const leader = newLeader();
    leader.proposes();
    leader.chosen(135, 136, 137, 138, 139, 140);
    leader.ask("141");
    expect(leader.proposes()).toEqual([[141, "141"]]);
    leader.ask("142");
    expect(leader.proposes()).toEqual([[142, "142"]]);
    leader.chosen(142); // "all the messages it sent in proposing command 141" were lost
    expect(leader.state.chosenWatermark).toBe(141);
    const late = leader.limits.retryDelayMs;
    expect(leader.proposes(late)).toEqual([[141, "141"]]); // "it will retransmit those messages"
    leader.chosen(141);
    expect(leader.state.chosenWatermark).toBe(143);
  });

  it("propose commands i + 1 through i + α after commands 1 through i are chosen", () => {
    const leader = newLeader();
    leader.proposes();
    leader.chosen(135, 136, 137, 138, 139, 140);
    const wide = { ...leader.limits, pipelineSlotsMax: 99 };
    const commands = Array.from({ length: 9 }, (_, at) => new TextEncoder().encode(`${at}`));
    enqueue(leader.state, commands, wide);
    fillWindow(leader.state, wide, 0);
    const alpha = leader.limits.windowMax;
    expect(leader.proposes().map(([slot]) => slot)).toEqual([141, 142, 143, 144, 145]);
    expect(leader.state.nextSlot).toBe(leader.state.chosenWatermark + alpha);
    leader.chosen(142, 143, 144, 145); // "a gap of up to α − 1"
    fillWindow(leader.state, wide, 0);
    expect(leader.proposes()).toEqual([]);
    leader.chosen(141);
    fillWindow(leader.state, wide, 0);
    expect(leader.proposes().map(([slot]) => slot)).toEqual([146, 147, 148, 149]);
  });

  it("can execute … once it has learned every command before: never over a gap", () => {
    const learner = new LearnerState();
    const { cluster } = new PaperLeader();
    const ballot = numbered(1);
    const learn = (slot: number, value: Uint8Array) => {
      noteAccept(learner, acceptOf(1, slot, value), cluster);
      noteChosenRange(learner, { ballot, from: slot, to: slot + 1, syncedBy: [] }, cluster);
      return takeChosen(learner).map((entry) => entry.slot);
    };
    expect(learn(1, command("b"))).toEqual([]);
    expect(learn(2, command("c"))).toEqual([]);
    expect(learn(0, NOOP)).toEqual([0, 1, 2]);
  });
});

describe("3 Implementing a State Machine: cost and safety", () => {
  it("the effective cost … is the cost of executing only phase 2", () => {
    const acceptor = new LogAcceptor();
    acceptor.prepare(1, 0);
    for (let slot = 0; slot < 100; slot++) {
      expect(acceptor.accept(1, slot, command(`${slot}`))).toEqual([slot]);
      expect(acceptor.kept.map(({ kind }) => kind)).toEqual(["vote"]); // one write, one answer
    }
  });

  it("two different servers will never disagree on the value … as the ith … command", () => {
    const ids = ["a0", "a1", "a2"] as const;
    const acceptors = new Map(ids.map((id) => [id, new LogAcceptor()]));
    const proposals: IssuedProposal[] = [];
    /** A leader that reaches two acceptors in phase 1, and some in phase 2, for three slots. */
    const lead = (n: number, own: string, one: readonly string[], two: readonly string[]) => {
      const reports = one.map((id) => ({ id, votes: acceptors.get(id as "a0")?.reported(n, 0) }));
      for (const slot of [0, 1, 2]) {
        const votes = reports.map(({ id, votes }) => {
          return { acceptor: id, vote: votes?.find((vote) => vote.slot === slot) ?? null };
        });
        const value = highestVote(votes.map(({ vote }) => vote))?.value ?? command(`${own}${slot}`);
        const ballot = numbered(n);
        proposals.push({ key: null, slot, ballot, digest: digest(value), reports: votes });
        const reached = slot === 1 ? two.slice(1) : two;
        for (const id of reached) acceptors.get(id as "a0")?.accept(n, slot, value);
      }
    };
    lead(1, "x", ["a0", "a1"], ["a0", "a1"]);
    lead(2, "y", ["a1", "a2"], ["a1", "a2"]);
    for (const acceptor of acceptors.values()) acceptor.state = acceptor.disk.recover();
    lead(3, "z", ["a0", "a2"], ["a0", "a1", "a2"]);
    const votes: CastVote[] = [...acceptors].flatMap(([acceptor, { votes }]) =>
      votes.map(({ slot, digest, n }) => {
        return { acceptor, key: null, slot, ballot: numbered(n), digest };
      }),
    );
    const wishes = proposals.map(({ digest }) => ({ key: null, digest }));
    const evidence = { ...nothing, proposals, votes, wishes };
    expect(firstViolation(evidence)).toBeNull();
    expect(new Set(votes.filter(({ slot }) => slot === 0).map(({ digest }) => digest)).size).toBe(
      1,
    );
    const other = { ...(proposals.at(-3) as IssuedProposal), digest: "other", reports: null };
    expect(firstViolation({ ...evidence, proposals: [...proposals.slice(0, -3), other] })).toMatch(
      /^(one value|vote|P2c): /,
    );
  });
});

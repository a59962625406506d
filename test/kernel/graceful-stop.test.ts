/**
 * Goal: a process that stops finishes first what somebody waits for and nobody else would finish,
 * and what it wrote is synced and said; within a bound, and not a moment longer than that takes.
 * Method: whole clusters on the memory bus whose disks sync slowly, one process of which stops.
 */
import { expect, it } from "vitest";
import type { LearnerContext } from "../../actors/learner/context.js";
import type { Settlement } from "../../src/kernel/effect.js";
import type { Incoming } from "../../src/kernel/ports.js";
import type { Submission } from "../../src/paxos/clients/client.js";
import { World } from "../../src/sim/world/world.js";
import { SEPARATED, worldCluster } from "../support/world.js";

const WAIT_MS = 3000;
const SYNC_MS = 40;
const SESSION = "5e551015".repeat(4);

/** A cluster that has a leader, one client session, and a client of the public subjects. */
class Stage {
  readonly world = new World({ cluster: worldCluster(), seed: 1, syncMs: () => this.syncMs });
  readonly settled: Settlement[] = [];
  syncMs = SYNC_MS;
  readonly #client;
  #tokens = 0;

  constructor() {
    for (const [name, members] of Object.entries(SEPARATED)) this.world.start(name, members);
    this.world.start("c1", [["session", SESSION]], {
      onSettle: (settlements) => void this.settled.push(...settlements),
    });
    this.#client = this.world.bus.connect("client");
    this.wait(3000);
  }

  wait(ms: number): void {
    this.world.clock.advance(ms);
  }

  submit(count: number): void {
    const requests = Array.from({ length: count }, (): Submission => {
      const token = ++this.#tokens;
      return { token, id: "", valueType: "string", body: bytes(`value ${token}`) };
    });
    const event = { type: "submit", requests };
    this.world.find("session", SESSION)?.tell(event);
  }

  /** Asks on a public subject. @returns how each was answered, as time passes */
  ask(subject: string, body: string, count = 1): string[] {
    const answers: string[] = [];
    for (let i = 0; i < count; i++) {
      this.#client.request(
        `synod.test.${subject}`,
        bytes(body),
        { timeoutMs: 60_000 },
        (answer) =>
          void answers.push(answer.kind === "answer" ? kindOf(answer.message) : answer.kind),
      );
    }
    return answers;
  }

  publish(subject: string, payload: Uint8Array): void {
    this.#client.publish(`synod.test.${subject}`, payload);
  }

  /** Stops a process; it is gone as soon as it has ended. @returns the milliseconds that it took */
  stop(name: string, waitMs = WAIT_MS): { endedMs: number | null } {
    const stopping: { endedMs: number | null } = { endedMs: null };
    const fromMs = this.world.clock.nowMs();
    this.world.processes.get(name)?.host?.stop(waitMs, () => {
      stopping.endedMs = this.world.clock.nowMs() - fromMs;
      this.world.kill(name, () => "kept");
    });
    return stopping;
  }

  /** What a learner holds, in order. */
  log(): string[] {
    const snapshot = this.world.find("learner", "l1")?.snapshots().get("");
    const kept = (snapshot?.context as LearnerContext | undefined)?.data.kept;
    const values: string[] = [];
    for (let position = kept?.firstPosition ?? 1; ; position++) {
      const entry = kept?.entryAt(position);
      if (entry === undefined) return values;
      values.push(new TextDecoder().decode(entry.body));
    }
  }
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function kindOf({ headers }: Incoming): string {
  return headers?.["Synod-Code"] ?? headers?.["Synod-Kind"] ?? "nothing";
}

it("a gateway answers the requests of sessions that it holds, and then ends", () => {
  const stage = new Stage();
  stage.submit(100);
  stage.wait(5);
  const stopping = stage.stop("g1");
  stage.wait(WAIT_MS);
  const done = stage.settled.filter(({ kind }) => kind === "done");
  expect([done.length, stage.log().length]).toEqual([100, 100]);
  expect(stopping.endedMs).toBeLessThan(WAIT_MS);
});

it("a gateway answers public requests, and brings in those that await no answer", () => {
  const stage = new Stage();
  const answers = stage.ask("propose", "asked", 10);
  stage.wait(5);
  for (let i = 0; i < 10; i++) stage.publish("propose", bytes("published"));
  stage.wait(5);
  const stopping = stage.stop("g1");
  stage.wait(WAIT_MS);
  expect(answers).toEqual(Array(10).fill("receipt"));
  expect(stage.log().toSorted()).toEqual([
    ...Array(10).fill("asked"),
    ...Array(10).fill("published"),
  ]);
  expect(stopping.endedMs).toBeLessThan(WAIT_MS);
});

it("a gateway that stops takes no new request: its session goes to another one", () => {
  const stage = new Stage();
  stage.submit(10);
  stage.wait(5);
  stage.world.start("g2", [["gateway", "g2"]]);
  stage.stop("g1");
  stage.wait(5);
  stage.submit(10);
  stage.wait(WAIT_MS);
  expect(stage.settled.map(({ kind }) => kind)).toEqual(Array(20).fill("done"));
  expect(stage.log()).toEqual(Array.from({ length: 20 }, (_, at) => `value ${at + 1}`));
  expect(stage.world.find("session", SESSION)?.snapshots().get("")?.context.gateway).toBe("g2");
});

it("a gateway finds the leader and the learner that come while it stops", () => {
  const stage = new Stage();
  for (const name of ["l1", "p1", "p2"]) stage.world.kill(name);
  stage.submit(10);
  stage.wait(2000);
  const stopping = stage.stop("g1", 20_000);
  stage.wait(5000);
  expect([stage.settled, stopping.endedMs]).toEqual([[], null]);
  for (const name of ["l1", "p1", "p2"]) stage.world.start(name, SEPARATED[name] ?? []);
  stage.wait(15_000);
  expect(stage.settled.map(({ kind }) => kind)).toEqual(Array(10).fill("done"));
  expect(stopping.endedMs).toBeLessThan(20_000);
});

it("a wish for a key that awaits no answer is fulfilled", () => {
  const stage = new Stage();
  const wish = {
    type: "decide",
    key: "k",
    value: bytes("v"),
    valueType: "string",
    reply: "",
  } as const;
  const from = {
    role: "session",
    id: "c2",
    storeId: null,
    incarnation: 0,
    writeNumber: 0,
  } as const;
  const sent = stage.world.codec.encode({ ...from, process: "00000000000000c2" }, 1, wish);
  stage.publish("synod-proposer.decide.all.c2", sent);
  stage.wait(5);
  const stopping = stage.stop("g1");
  stage.wait(WAIT_MS);
  const learner = stage.world.find("learner", "l1");
  const [snapshot] = [...(learner?.snapshots().values() ?? [])];
  expect(snapshot && learner?.definition.learned?.key(snapshot, "k")).not.toBe(null);
  expect(stopping.endedMs).toBeLessThan(WAIT_MS);
});

it("a gateway that gets no answer from the cluster ends in time, and says what it owes", () => {
  const stage = new Stage();
  for (const name of ["a1", "a2", "a3"]) stage.world.kill(name);
  stage.submit(10);
  const answers = stage.ask("propose", "asked", 10);
  stage.wait(5);
  const stopping = stage.stop("g1");
  stage.wait(WAIT_MS - 10);
  expect([answers, stopping.endedMs]).toEqual([[], null]);
  stage.wait(30);
  expect(answers).toEqual(Array(10).fill("stopped"));
  expect(stopping.endedMs).toBeGreaterThanOrEqual(WAIT_MS);
});

it("a gateway that serves nobody ends at once, also where it never found a cluster", () => {
  const stage = new Stage();
  stage.world.start("alone", [["gateway", "g9"]]);
  for (const name of Object.keys(SEPARATED)) if (name !== "g1") stage.world.kill(name);
  stage.world.kill("c1");
  const stopping = [stage.stop("g1"), stage.stop("alone")];
  stage.wait(100);
  expect(stopping.every(({ endedMs }) => endedMs !== null && endedMs < 100)).toBe(true);
});

it("an acceptor ends under load as soon as what it wrote is synced", () => {
  const stage = new Stage();
  stage.syncMs = 5;
  const load = () => {
    stage.submit(1);
    stage.world.clock.setTimer(2, load);
  };
  load();
  stage.wait(100);
  const stopping = stage.stop("a1");
  stage.wait(200);
  expect(stopping.endedMs).toBeLessThan(100);
  expect(stage.settled.every(({ kind }) => kind === "done")).toBe(true);
});

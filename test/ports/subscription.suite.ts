/**
 * The contract of the bus, continued: inboxes, and subscriptions that end in good order.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TestTransport, TransportBench } from "./transport.suite.js";

const bytes = (content: string) => new TextEncoder().encode(content);
const empty = new Uint8Array(0);

/** Declares the tests of one adapter. */
export function subscriptionSuite(name: string, open: () => Promise<TransportBench>): void {
  describe(`subscriptions: ${name}`, () => {
    let bench: TransportBench;
    let a: TestTransport;
    let b: TestTransport;
    let c: TestTransport;
    const settle = async () => {
      await bench.run(Promise.all([a.flush(), b.flush(), c.flush()]));
      await bench.run(Promise.all([a.flush(), b.flush(), c.flush()]));
    };

    beforeAll(async () => {
      bench = await open();
      a = await bench.connect("a");
      b = await bench.connect("b");
      c = await bench.connect("c");
    });
    afterAll(async () => {
      await Promise.all([a, b, c].map((each) => bench.run(each.close())));
      await bench.close();
    });

    test("inboxes are drawn apart, and answers arrive there and one token below", async () => {
      const inboxes = [a.newInbox(), a.newInbox(), b.newInbox()];
      expect(new Set(inboxes).size).toBe(3);
      const texts: string[] = [];
      const hear = ({ payload }: { payload: Uint8Array }) =>
        void texts.push(new TextDecoder().decode(payload));
      a.subscribe(inboxes[0]!, hear);
      a.subscribe(`${inboxes[1]}.*`, hear);
      await settle();
      b.publish(inboxes[0]!, bytes("whole"));
      b.publish(`${inboxes[1]}.7`, bytes("part"));
      b.publish(`${inboxes[2]}.7`, bytes("not ours"));
      await settle();
      expect(texts).toEqual(["whole", "part"]);
    });

    test("a drained subscription hears what the server had sent, then is over", async () => {
      const subject = "drained.subject";
      const others: string[] = [];
      const heard: string[] = [];
      const end = b.subscribe(subject, () => void heard.push("message"), { queue: "q" });
      await settle();
      for (let i = 0; i < 200; i += 1) a.publish(subject, empty);
      await bench.run(a.flush());
      c.subscribe(subject, () => void others.push("message"), { queue: "q" });
      end(() => void heard.push("drained"));
      expect(heard).not.toContain("drained");
      await bench.until(() => heard.includes("drained"));
      await settle();
      expect([heard.length, heard.at(-1)]).toEqual([201, "drained"]);
      a.publish(subject, empty);
      await settle();
      expect([heard.length, others.length]).toEqual([201, 1]);
      // One that is over, or was never live, is drained, too.
      end(() => void heard.push("again"));
      await bench.until(() => heard.at(-1) === "again");
    });
  });
}

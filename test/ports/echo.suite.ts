/**
 * The contract of a connection without echo, for every adapter.
 *
 * Method: as in `transport.suite.ts`; one of two connections receives nothing of its own.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Answer, Incoming } from "../../src/kernel/ports.js";
import type { TestTransport, TransportBench } from "./transport.suite.js";

const bytes = (content: string) => new TextEncoder().encode(content);
const empty = new Uint8Array(0);

/** Declares the tests of one adapter. */
export function echoSuite(name: string, open: () => Promise<TransportBench>): void {
  describe(`without echo: ${name}`, () => {
    let bench: TransportBench;
    let own: TestTransport;
    let other: TestTransport;
    /** Until the server has seen what each did, and each what the server sent. */
    const settle = async () => {
      await bench.run(Promise.all([own.flush(), other.flush()]));
      await bench.run(Promise.all([own.flush(), other.flush()]));
    };
    const collect = (transport: TestTransport, subject: string, queue?: string) => {
      const texts: string[] = [];
      const heard = ({ payload }: Incoming) => void texts.push(new TextDecoder().decode(payload));
      transport.subscribe(subject, heard, { queue });
      return texts;
    };

    beforeAll(async () => {
      bench = await open();
      own = await bench.connect("own", { noEcho: true });
      other = await bench.connect("other");
    });
    afterAll(() => bench.close());

    test("a connection receives what others publish, and nothing of its own", async () => {
      const [atOwn, atOther] = [collect(own, "a"), collect(other, "a")];
      await settle();
      own.publish("a", bytes("own"));
      await settle();
      other.publish("a", bytes("other's"));
      await settle();
      expect(atOwn).toEqual(["other's"]);
      expect(atOther).toEqual(["own", "other's"]);
    });

    test("another member of its queue group takes each of its messages", async () => {
      const [atOwn, atOther] = [collect(own, "b", "q"), collect(other, "b", "q")];
      await settle();
      for (let i = 0; i < 20; i += 1) own.publish("b", bytes(String(i)));
      await settle();
      expect(atOwn).toEqual([]);
      expect(atOther).toHaveLength(20);
    });

    test("a request that only it could answer has no responders", async () => {
      const answers: Answer[] = [];
      const ask = () =>
        own.request("c", empty, { timeoutMs: 2_000 }, (answer) => void answers.push(answer));
      own.subscribe("c", ({ reply = "" }) => own.publish(reply, bytes("own")));
      await settle();
      ask();
      await bench.until(() => answers.length === 1);
      other.subscribe("c", ({ reply = "" }) =>
        other.publish(reply, empty, { headers: { is: "b" } }),
      );
      await settle();
      ask();
      await bench.until(() => answers.length === 2);
      expect(answers).toMatchObject([
        { kind: "no_responders" },
        { kind: "answer", message: { headers: { is: "b" } } },
      ]);
    });
  });
}

/**
 * Goal: a subject between roles is read as it was written, and everything else is refused.
 * Method: any texts of tokens and dots, against a reading by `split`.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import { parseSubject, subjectOf } from "../../src/kernel/bus/subject.js";

const space = { prefix: "synod", cluster: "demo" };
const token = fc.string({ unit: fc.constantFrom("a", "1", "-"), minLength: 1, maxLength: 4 });

it("reads what was written", () => {
  const property = fc.property(token, token, token, (verb, toId, fromId) => {
    const route = { toRole: "acceptor" as const, verb, toId, fromId };
    expect(parseSubject(space, subjectOf(space, "acceptor", verb, toId, fromId))).toEqual(route);
  });
  fc.assert(property);
});

it("takes four tokens behind the space, no more and no fewer", () => {
  const rest = fc.string({ unit: fc.constantFrom("a", "b", "."), maxLength: 12 });
  const property = fc.property(rest, (text) => {
    const [toRole, verb, toId, fromId, ...more] = text.split(".");
    const isRoute = fromId !== undefined && more.length === 0;
    const route = isRoute ? { toRole, verb, toId, fromId } : undefined;
    expect(parseSubject(space, `synod.demo.${text}`)).toEqual(route);
    expect(parseSubject(space, `other.demo.${text}`)).toBeUndefined();
  });
  fc.assert(property, { numRuns: 1000 });
});

/**
 * Goal: a property test sees what its generator names. Method: samples of generators with a stated
 * maximum must come near it; without the setting in properties.ts none has more than ten elements.
 */
import fc from "fast-check";
import { expect, it } from "vitest";

it.each([
  ["bytes", fc.uint8Array({ maxLength: 70 })],
  ["text", fc.string({ maxLength: 70 })],
  ["an array", fc.array(fc.nat(), { maxLength: 70 })],
])("%s with a maximum of 70 is drawn longer than 48", (_, arbitrary) => {
  const lengths = fc.sample(arbitrary as fc.Arbitrary<{ length: number }>, 300);
  expect(Math.max(...lengths.map(({ length }) => length))).toBeGreaterThan(48);
});

/**
 * The checksum of a message: which bytes it covers, and how it is written and checked.
 *
 * An envelope begins with an array header, the wire version and the checksum (a uint 32, always
 * written with its token 0xce). The checksum covers every byte behind itself, up to the end of the
 * message.
 *
 * Why CRC-32: it detects every flipped bit, every pair of flipped bits and every burst of up to 32
 * bits; of other damage it misses one in 2^32. It guards against damage, not against forgery. The
 * README has its cost, and that of the alternatives.
 */
import { crc32 } from "node:zlib";

/** Bytes in front of what the checksum covers. */
const headBytes = 7;
const checksumAt = 3;
/** Upper half of the array header: an array of at most 15 elements. */
const smallArray = 0x90;
const uint32Token = 0xce;

/** A checksum that {@link seal} replaces; MessagePack writes it as a uint 32. */
export const UNSEALED = 0xffff_ffff;

/** Writes the checksum into a message that was laid out with {@link UNSEALED}. */
export function seal(bytes: Uint8Array): void {
  const checksum = crc32(bytes.subarray(headBytes));
  bytes[checksumAt] = checksum >>> 24;
  bytes[checksumAt + 1] = checksum >>> 16;
  bytes[checksumAt + 2] = checksum >>> 8;
  bytes[checksumAt + 3] = checksum;
}

/**
 * Says whether the bytes are an envelope of this version whose checksum is right.
 *
 * Cost: one pass over the bytes.
 */
export function isIntact(bytes: Uint8Array, version: number): boolean {
  if (bytes.length <= headBytes || ((bytes[0] as number) & 0xf0) !== smallArray) return false;
  if (bytes[1] !== version || bytes[2] !== uint32Token) return false;
  let written = 0;
  for (let i = checksumAt; i < headBytes; i++) written = written * 256 + (bytes[i] as number);
  return crc32(bytes.subarray(headBytes)) === written;
}

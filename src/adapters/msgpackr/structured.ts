/** Plain data as MessagePack, for those who ask a door in it instead of JSON. */
import { Packr, Unpackr } from "msgpackr";
import type { StructuredCodec } from "../../kernel/ports.js";

/** Maps come back as objects; 64-bit integers as numbers, which a bound check then refuses. */
const options = { useRecords: false, mapsAsObjects: true, int64AsType: "number" } as const;
const packr = new Packr(options);
const unpackr = new Unpackr(options);

/** Writes and reads plain data; `decode` throws on what is no MessagePack. */
export const structured: StructuredCodec = {
  encode: (value) => packr.pack(value),
  decode: (bytes): unknown => {
    // 0xc1 is no MessagePack, but the library makes an object of it.
    if (bytes[0] === 0xc1) throw new RangeError("byte 0xc1 begins no MessagePack");
    return unpackr.unpack(bytes);
  },
};

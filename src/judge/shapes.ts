/** What each operation of hist/1 carries, and what its answer may be. */
import type { HistoryModel } from "./format.js";

type Fields = Readonly<Record<string, unknown>>;

/** One operation. */
export interface Shape {
  /** What each field is; `?` at the end of a name: it may be left out. */
  readonly fields: Readonly<Record<string, (field: unknown) => boolean>>;
  /** Whether an answer fits a call with these fields. */
  readonly fits: (out: unknown, call: Fields) => boolean;
  /** The answers that fit, in words. */
  readonly answers: string;
}

const isText = (field: unknown) => typeof field === "string";
const isTextOrNull = (field: unknown) => field === null || typeof field === "string";
const isCount = (field: unknown) => Number.isSafeInteger(field) && (field as number) >= 0;
const isFlag = (field: unknown) => typeof field === "boolean";
const isNothing = (field: unknown) => field === undefined || field === null;
const fieldsOf = (out: unknown): Fields =>
  typeof out === "object" && out !== null ? (out as Fields) : {};
const hasRevision = (out: unknown) => isCount(fieldsOf(out)["rev"]);
const saysOk = (out: unknown) => isFlag(fieldsOf(out)["ok"]);
/** An object without `ok: true`, or with it and what it then needs. */
const okNeeds = (out: unknown, name: string) =>
  saysOk(out) && (fieldsOf(out)["ok"] === false || isCount(fieldsOf(out)[name]));

const kv: Readonly<Record<string, Shape>> = {
  get: {
    fields: { key: isText },
    fits: (out) => isTextOrNull(out) || (isText(fieldsOf(out)["value"]) && hasRevision(out)),
    answers: 'the value, {"value","rev"}, or null',
  },
  put: {
    fields: { key: isText, value: isText, "ifrev?": isCount },
    fits: (out, { ifrev }) =>
      ifrev === undefined ? isNothing(out) || hasRevision(out) : okNeeds(out, "rev"),
    answers: 'nothing or {"rev"}; with ifrev {"ok":true,"rev"} or {"ok":false}',
  },
  append: {
    fields: { key: isText, value: isText },
    fits: (out) => isNothing(out) || isText(out),
    answers: "the value after it, or nothing",
  },
  cas: {
    fields: { key: isText, expect: isTextOrNull, value: isText },
    fits: isFlag,
    answers: "true or false",
  },
  delete: {
    fields: { key: isText, "ifrev?": isCount },
    fits: (out, { ifrev }) => (ifrev === undefined ? isFlag(out) : saysOk(out)),
    answers: 'true or false; with ifrev {"ok"}',
  },
};

const log: Readonly<Record<string, Shape>> = {
  append: { fields: { key: isText, value: isText }, fits: isCount, answers: "its index" },
  read: {
    fields: { key: isText, index: isCount },
    fits: isTextOrNull,
    answers: "the value or null",
  },
  len: { fields: { key: isText }, fits: isCount, answers: "a number" },
  list: {
    fields: { key: isText },
    fits: (out) => Array.isArray(out) && out.every(isText),
    answers: "an array of values",
  },
};

const lock: Readonly<Record<string, Shape>> = {
  acquire: {
    fields: { key: isText, owner: isText },
    fits: (out) => okNeeds(out, "token"),
    answers: '{"ok":true,"token"} or {"ok":false}',
  },
  release: {
    fields: { key: isText, owner: isText, "token?": isCount },
    fits: isFlag,
    answers: "true or false",
  },
};

const decide: Readonly<Record<string, Shape>> = {
  decide: { fields: { key: isText, value: isText }, fits: isText, answers: "the value decided" },
  get: { fields: { key: isText }, fits: isTextOrNull, answers: "the value decided or null" },
};

const propose: Readonly<Record<string, Shape>> = {
  propose: {
    fields: { value: isText },
    fits: (out) => isCount(fieldsOf(out)["position"]) && isCount(fieldsOf(out)["slot"]),
    answers: '{"position","slot"}',
  },
};

/** Every operation of every model. */
export const SHAPES: Readonly<Record<HistoryModel, Readonly<Record<string, Shape>>>> = {
  kv,
  log,
  lock,
  decide,
  propose,
};

/** Says what is wrong with the fields of a call, if something is. */
export function oddField(shape: Shape, call: Fields): string | undefined {
  for (const [field, fits] of Object.entries(shape.fields)) {
    const name = field.replace("?", "");
    const isMissing = call[name] === undefined;
    if (isMissing && name !== field) continue;
    if (isMissing) return `${name} is missing`;
    if (!fits(call[name])) return `${name} must not be ${JSON.stringify(call[name])}`;
  }
  return undefined;
}

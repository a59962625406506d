/** A client's calls, told to the histories that its opener gave. */

import type { HistoryModel, HistoryOperations, HistoryOut } from "../judge/format.js";
import { InvalidError, SynodError } from "./errors.js";
import type { History, OpenCall } from "./history.js";
import type { TypedBody } from "./values.js";

/** What a client has calls of. */
const RECORDED: readonly HistoryModel[] = ["propose", "decide"];

/** Ends of a wait: the format calls them `info` even where nothing was sent. */
const WAITS = ["unavailable", "no_quorum", "outcome_unknown"];

/** Histories of different models, `propose` or `decide`, that hear the calls of a client. */
export type RecorderOption = History | readonly History[] | undefined;

/** Checks the option. @throws InvalidError */
export function historiesOf(option: RecorderOption): readonly History[] {
  if (option === undefined) return [];
  const histories = Array.isArray(option) ? (option as readonly History[]) : [option as History];
  const models = histories.map(({ model }) => model);
  const odd = models.find((model) => !RECORDED.includes(model));
  if (odd !== undefined) {
    throw new InvalidError(`recorder: a client has no calls of model ${JSON.stringify(odd)}`);
  }
  if (new Set(models).size < models.length) {
    throw new InvalidError("recorder: give one history for each model");
  }
  return histories;
}

/** Tells histories what one client does. */
export class Recorder {
  readonly #histories = new Map<HistoryModel, { readonly history: History; client: string }>();

  constructor(histories: readonly History[]) {
    for (const history of histories) {
      this.#histories.set(history.model, { history, client: history.join() });
    }
  }

  /**
   * Makes a call, and tells the history of its model, if there is one.
   *
   * @param operation the call as the history shows it; not asked for if nobody listens
   * @param show the answer as the history shows it
   */
  record<M extends "propose" | "decide", T>(
    model: M,
    operation: () => HistoryOperations[M],
    call: () => Promise<T>,
    show: (result: T) => HistoryOut,
  ): Promise<T> {
    const listener = this.#histories.get(model);
    if (listener === undefined) return call();
    return tell(listener.history.begin(listener.client, operation()), call, show);
  }
}

/** Makes a call, and tells its end to a history. */
async function tell<T>(
  open: OpenCall,
  call: () => Promise<T>,
  show: (result: T) => HistoryOut,
): Promise<T> {
  let result: T;
  try {
    result = await call();
  } catch (error) {
    if (isCertain(error)) open.fail(error.code);
    else open.info(error instanceof SynodError ? error.code : String(error));
    throw error;
  }
  open.ok(show(result));
  return result;
}

/** Says whether an error means that the call did not happen and will not. */
function isCertain(error: unknown): error is SynodError {
  return error instanceof SynodError && !error.mayHaveHappened && !WAITS.includes(error.code);
}

const fromUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Shows a value in a history: a string as it is, anything else as type and bytes, `msgpack:93…`.
 *
 * Gotcha: a string that reads like that is not told apart from the bytes.
 */
export function showBody({ type, body }: TypedBody): string {
  if (type === "string") {
    try {
      return fromUtf8.decode(body);
    } catch {
      // Not what its type says: shown as bytes, below.
    }
  }
  const hex = Array.from(body, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${type}:${hex}`;
}

/** Histories in files of this machine. */
import { closeSync, openSync, writeSync } from "node:fs";
import { History, type HistoryOptions } from "../client/history.js";
import type { HistoryModel } from "../judge/format.js";

/** A history in a file. */
export class HistoryFile<M extends HistoryModel = HistoryModel> extends History<M> {
  readonly #close: () => void;

  private constructor(options: HistoryOptions<M>, close: () => void) {
    super(options);
    this.#close = close;
  }

  /**
   * Opens a file for a history, in place of what it held. Its clock is `process.hrtime`, which all
   * processes of a machine share; each line is one write to a file opened for appending.
   *
   * @throws Error of the file system, here and from every line
   */
  static open<M extends HistoryModel>(
    path: string,
    header: Omit<HistoryOptions<M>, "nowNs" | "write">,
  ): HistoryFile<M> {
    closeSync(openSync(path, "w"));
    const fd = openSync(path, "a");
    const write = (line: string) => writeWhole(fd, Buffer.from(line));
    const options = { ...header, nowNs: () => process.hrtime.bigint(), write };
    return new HistoryFile(options, () => closeSync(fd));
  }

  /** Closes the file; a call that ends later throws. */
  close(): void {
    this.#close();
  }
}

/** One write, and more only where the file system took a part. */
function writeWhole(fd: number, bytes: Buffer): void {
  for (let from = 0; from < bytes.length; ) from += writeSync(fd, bytes, from);
}

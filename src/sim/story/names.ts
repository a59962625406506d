/**
 * Short names: a ballot as `2.p1`, a value as the client wrote it, a session by its client.
 *
 * A second life of a proposer owns ballots under another nonce: `p1'`, then `p1''`, in the order in
 * which they are met. Rests on: whoever names something first has been told of it.
 */
import type { Ballot } from "../../paxos/ballot.js";
import { decodeCommand, decodeTyped } from "../../paxos/command.js";
import { digest as digestOf } from "../../paxos/digest.js";
import { openValue } from "../../paxos/value.js";

/** Longest text of one client value, and most commands of one batch, that are shown. */
const TEXT_MAX = 40;
const COMMANDS_MAX = 4;

/** Gives short names, and remembers them. */
export class Names {
  readonly #owners = new Map<string, string>();
  readonly #lives = new Map<string, number>();
  readonly #values = new Map<string, string>();

  /** Names the owner of ballots; a key has owners of its own. */
  owner(owner: string, key: string | null): string {
    const dot = owner.indexOf(".");
    const proposer = dot < 0 ? owner : owner.slice(0, dot);
    return this.#nth(owner, key === null ? proposer : `${proposer} of ${key}`, proposer);
  }

  /** Shows a ballot: `2.p1`. */
  ballot(ballot: Ballot | null, key: string | null = null): string {
    return ballot === null ? "nothing" : `${ballot.round}.${this.owner(ballot.owner, key)}`;
  }

  /** Names a session after its client. */
  session(id: string, client?: string): string {
    if (client === undefined) return this.#owners.get(id) ?? `session ${id.slice(0, 4)}`;
    return this.#nth(id, `session of ${client}`, client);
  }

  /** Shows the value of a slot, and remembers it by its digest. */
  value(bytes: Uint8Array): string {
    const digest = digestOf(bytes);
    const known = this.#values.get(digest);
    if (known !== undefined) return known;
    const text = `⟨${this.#slotText(bytes)}⟩`;
    this.#values.set(digest, text);
    return text;
  }

  /** Shows the value of a key, and remembers it by its digest. */
  keyValue(bytes: Uint8Array): string {
    let text: string;
    try {
      text = shorten(decodeTyped(bytes).body);
    } catch {
      text = shorten(bytes);
    }
    this.#values.set(digestOf(bytes), text);
    return text;
  }

  /** Shows a value of which only the digest is known. */
  digest(digest: string): string {
    return this.#values.get(digest) ?? `value ${digest.slice(0, 4)}…`;
  }

  /** Shows a command: what the client wants. */
  command(bytes: Uint8Array): string {
    try {
      const command = decodeCommand(bytes);
      if (command.kind === "request") return shorten(command.body);
      const known = this.#owners.get(command.session);
      return `open ${known ?? this.session(command.session, `${command.gateway}'s session`)}`;
    } catch {
      return shorten(bytes);
    }
  }

  /** Puts the short names into a sentence that has the long ones. */
  shorten(sentence: string): string {
    const owners = sentence.replace(
      /[\w-]+\.[0-9a-f]{16}\b/g,
      (one) => this.#owners.get(one) ?? one,
    );
    return owners.replace(/\b[0-9a-f]{32}\b/g, (one) => this.#values.get(one) ?? one);
  }

  #slotText(bytes: Uint8Array): string {
    try {
      const value = openValue(bytes);
      if (value.kind === "noop") return "no-op";
      const texts = value.commands.slice(0, COMMANDS_MAX).map((one) => this.command(one));
      const more = value.commands.length - texts.length;
      return texts.join(", ") + (more > 0 ? ` and ${more} more` : "");
    } catch {
      return shorten(bytes);
    }
  }

  #nth(id: string, scope: string, base: string): string {
    const known = this.#owners.get(id);
    if (known !== undefined) return known;
    const before = this.#lives.get(scope) ?? 0;
    this.#lives.set(scope, before + 1);
    const name = base + (before < 3 ? "'".repeat(before) : `'${before}`);
    this.#owners.set(id, name);
    return name;
  }
}

function shorten(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes);
  const visible = text.replace(/[\p{C}\s]+/gu, " ");
  return visible.length <= TEXT_MAX ? visible : `${visible.slice(0, TEXT_MAX)}…`;
}

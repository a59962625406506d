/**
 * A YAML file with its positions: what it says as plain data, and where it says it.
 */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type ParsedNode,
  parseDocument,
} from "yaml";

/** Something wrong at a place of a file. */
export interface Problem {
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** What is wrong, and what to do. */
  readonly message: string;
}

/** Keys and indexes from the root to a value. */
export type Path = readonly (string | number)[];

/** Errors beside which the first document can still be read and checked. */
const READABLE_ERRORS: ReadonlySet<string> = new Set(["DUPLICATE_KEY", "MULTIPLE_DOCS"]);

/** A parsed file. */
export class DescriptorText {
  /** What the file says; texts stay texts even if they look like numbers, see `textKeys`. */
  readonly value: unknown;
  /** What is wrong with the file as YAML. */
  readonly problems: Problem[] = [];
  /** Whether the file is YAML at all, so that more than `problems` can be said about it. */
  readonly isReadable: boolean;
  readonly #document: Document.Parsed<ParsedNode>;
  readonly #lines = new LineCounter();

  /** @param textKeys keys whose scalars are names, whatever they look like: `id: 1` */
  constructor(text: string, textKeys: ReadonlySet<string>) {
    this.#document = parseDocument(text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      // "silent" would also hide that a second document follows, and what is wrong in it.
      logLevel: "error",
    });
    const { errors, contents } = this.#document;
    for (const { pos, message } of errors) {
      this.problems.push({ ...this.#position(pos[0]), message: yamlSentence(message) });
    }
    this.value = this.#plain(contents, "", textKeys);
    const isHarmless = errors.every(({ code }) => READABLE_ERRORS.has(code));
    this.isReadable = isHarmless && this.problems.length === errors.length;
  }

  /** Says that something is wrong at the value of a path, or at what is left of it in the file. */
  problem(path: Path, message: string): Problem {
    return { ...this.#position(this.#offsetOf(path)), message };
  }

  /** Says that something is wrong with the key at the end of a path. */
  keyProblem(path: Path, message: string): Problem {
    const parent = this.#nodeAt(path.slice(0, -1));
    const name = String(path.at(-1));
    const pair = isMap(parent)
      ? parent.items.find(({ key }) => isScalar(key) && String(key.value) === name)
      : undefined;
    const offset = isNode(pair?.key) ? pair.key.range?.[0] : undefined;
    return { ...this.#position(offset ?? this.#offsetOf(path)), message };
  }

  #plain(node: Node | null | undefined, key: string, textKeys: ReadonlySet<string>): unknown {
    if (isMap(node)) {
      return Object.fromEntries(
        node.items.map((pair) => {
          const name = isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
          return [name, this.#plain(pair.value as Node | null, name, textKeys)];
        }),
      );
    }
    if (isSeq(node)) return node.items.map((item) => this.#plain(item as Node, key, textKeys));
    if (isAlias(node)) {
      const message = "aliases (*name) are not read here: write the value out";
      this.problems.push({ ...this.#position(node.range?.[0] ?? 0), message });
      return undefined;
    }
    if (!isScalar(node)) return null;
    return textKeys.has(key) && node.source !== undefined && node.source !== ""
      ? node.source
      : node.value;
  }

  #nodeAt(path: Path): unknown {
    return path.length === 0 ? this.#document.contents : this.#document.getIn(path, true);
  }

  #offsetOf(path: Path): number {
    for (let length = path.length; length >= 0; length--) {
      const node = this.#nodeAt(path.slice(0, length));
      if (isNode(node) && node.range) return node.range[0];
    }
    return 0;
  }

  #position(offset: number): { readonly line: number; readonly column: number } {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }
}

/** What the parser says, with what to do about what people do most. */
function yamlSentence(message: string): string {
  const said = message.replace(/\s+/g, " ").trim();
  if (/map keys must be unique/i.test(said)) return "this key stands here twice: keep one of them";
  if (/multiple documents/i.test(said)) {
    return "a second document begins here: a descriptor is one document, remove this one";
  }
  if (/tabs/i.test(said)) return `${said}: indent with spaces`;
  return `this is not valid YAML: ${said}`;
}

/** The cast: what the roles of a world are called in its story. */
import type { RoleName } from "../../paxos/wire/messages.js";
import type { SimProcess } from "../world/process.js";
import type { World } from "../world/world.js";
import type { Names } from "./names.js";

const LETTERS: Readonly<Partial<Record<RoleName, string>>> = {
  acceptor: "a",
  proposer: "p",
  learner: "l",
  elector: "e",
  gateway: "g",
  "synod-proposer": "s",
};

/** Knows everybody's name. */
export class Cast {
  readonly #world: World;
  readonly #names: Names;

  constructor(world: World, names: Names) {
    this.#world = world;
    this.#names = names;
  }

  /** Names a role: by its id, and by its process too if an older one runs it as well. */
  name(node: SimProcess, role: RoleName, id: string): string {
    if (role === "session") return this.#names.session(id, node.name);
    const isPlain = LETTERS[role] !== undefined && id.startsWith(LETTERS[role]);
    const name = isPlain ? id : `${id}/${role}`;
    for (const other of this.#world.processes.values()) {
      const isOlder = other.life < node.life && other.name !== node.name;
      if (isOlder && has(other, role, id)) return `${name}@${node.name}`;
    }
    return name;
  }

  /** Names the roles of a process; the process and their number if they are many. */
  all(node: SimProcess): string {
    const names = node.members.map(([role, id]) => this.name(node, role, id));
    return names.length <= 2 ? names.join(" ") : `${node.name} (${names.length} roles)`;
  }

  /** Names those of a process that play a role, and have an id if one is given. */
  players(node: SimProcess, role: RoleName, id: string | null): string[] {
    return node.members
      .filter(([played, its]) => played === role && (id === null || its === id))
      .map(([played, its]) => this.name(node, played, its));
  }
}

function has(node: SimProcess, role: RoleName, id: string): boolean {
  return node.members.some(([played, its]) => played === role && its === id);
}

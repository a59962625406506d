/** How a process of ours ends: the exit codes of every command, and one for supervisors. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  /** Not reached, or no quorum. */
  unreached: 3,
  /** The role must not be started again before a person has looked: a worker to its supervisor. */
  refused: 4,
  /** The disk of its store was full at the start: another start may find room. */
  noRoom: 5,
  interrupted: 130,
} as const;

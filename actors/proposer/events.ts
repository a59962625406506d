/** All that a proposer of the log takes in. */
import type { HostEvent, InboundOf } from "../../src/kernel/role.js";
import type {
  Accepted,
  AskBasis,
  Beacon,
  Hint,
  LastHeard,
  Nack,
  Promise1b,
  Propose,
  Repair,
} from "../../src/paxos/wire/messages.js";

export type ProposerEvent =
  | InboundOf<Hint | Beacon | LastHeard | Promise1b | Accepted | Nack | Propose | AskBasis | Repair>
  | HostEvent;

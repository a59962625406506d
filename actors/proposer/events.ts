/** All that a proposer of the log takes in. */
import type { HostEvent, InboundOf } from "../../src/actor/role.js";
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
} from "../../src/paxos/messages.js";

export type ProposerEvent =
  | InboundOf<Hint | Beacon | LastHeard | Promise1b | Accepted | Nack | Propose | AskBasis | Repair>
  | HostEvent;

----------------------------- MODULE PaxosTrace -----------------------------
(***************************************************************************)
(* Holds a trace of Synod (ptrace/1) against Lamport's Paxos.tla: is it a  *)
(* behaviour of that specification?                                        *)
(*                                                                         *)
(* It reads trace.ndjson, which project.mjs makes: one instance of Paxos   *)
(* (one key, or one slot of the log), its events in the order of their     *)
(* clock, its ballots as their rank among all of the trace.                *)
(*                                                                         *)
(* Each event is one step of Paxos.tla, two for a restart that finds what  *)
(* was durable and not yet written, or no step at all. TLC finds the only  *)
(* behaviour there is. If an event fits no step, it reports a deadlock in  *)
(* the state before it: `at' is its number.                                *)
(***************************************************************************)
EXTENDS Paxos, Sequences, Json

VARIABLE at  \* the number of the next event

Lines  == ndJsonDeserialize("trace.ndjson")
Header == Lines[1]
Events == Tail(Lines)

SetOf(seq) == {seq[i] : i \in 1..Len(seq)}

TraceAcceptor == SetOf(Header.acceptors)
TraceValue    == SetOf(Header.values)
TraceQuorum   == {SetOf(Header.quorums[i]) : i \in 1..Len(Header.quorums)}
TraceBallot   == 0..Header.ballots

ValOf(v) == IF v = "" THEN None ELSE v

(***************************************************************************)
(* What an acceptor holds before a step is what the event says it held.    *)
(* Events of the log say nothing of slots below their `from': `told' is    *)
(* then false.                                                             *)
(***************************************************************************)
Held(e) == e.told => /\ maxVBal[e.a] = e.mbal
                     /\ maxVal[e.a] = ValOf(e.mval)

Begins(e)   == /\ e.ev = "p1a"
               /\ Phase1a(e.bal)

Promises(e) == /\ e.ev = "p1b"
               /\ Held(e)
               /\ Phase1b(e.a)
               /\ maxBal'[e.a] = e.bal

Proposes(e) == /\ e.ev = "p2a"
               /\ Phase2a(e.bal, e.val)

Votes(e)    == /\ e.ev = "p2b"
               /\ Phase2b(e.a)
               /\ maxBal'[e.a] = e.bal
               /\ maxVal'[e.a] = e.val

(***************************************************************************)
(* No step of Paxos.tla, but it must be so.                                *)
(***************************************************************************)
IsChosen(e) == /\ e.ev = "chosen"
               /\ \E v \in Value : \E Q \in Quorum :
                     /\ Q \subseteq SetOf(e.syncedBy)
                     /\ \A a \in Q : <<e.bal, v>> \in votes[a]
               /\ UNCHANGED vars

IsLearned(e) == /\ e.ev = "learn"
                /\ \E b \in TraceBallot : V!ChosenAt(b, e.val)
                /\ UNCHANGED vars

(***************************************************************************)
(* A restart. What it found is what was said, or more: a vote and then a   *)
(* promise that were durable when the process died and had not left it.    *)
(* Each of them is a step of its own.                                      *)
(***************************************************************************)
FindsVote(e)    == /\ e.ev = "recover"
                   /\ e.told
                   /\ maxVBal[e.a] < e.mbal
                   /\ Phase2b(e.a)
                   /\ maxVBal'[e.a] = e.mbal
                   /\ maxVal'[e.a] = ValOf(e.mval)

FindsPromise(e) == /\ e.ev = "recover"
                   /\ Held(e)
                   /\ maxBal[e.a] < e.bal
                   /\ Phase1b(e.a)
                   /\ maxBal'[e.a] = e.bal

Recovers(e)     == /\ e.ev = "recover"
                   /\ Held(e)
                   /\ maxBal[e.a] = e.bal
                   /\ UNCHANGED vars

-----------------------------------------------------------------------------
TraceInit == Init /\ at = 1

TraceNext ==
  \/ /\ at <= Len(Events)
     /\ LET e == Events[at] IN
          \/ /\ at' = at + 1
             /\ \/ Begins(e) \/ Promises(e) \/ Proposes(e) \/ Votes(e)
                \/ IsChosen(e) \/ IsLearned(e) \/ Recovers(e)
          \/ /\ at' = at
             /\ FindsVote(e) \/ FindsPromise(e)
  \/ /\ at > Len(Events)
     /\ UNCHANGED <<vars, at>>

TraceSpec == TraceInit /\ [][TraceNext]_<<vars, at>>

(***************************************************************************)
(* Every step above is one of Paxos.tla or none; TLC checks this too, and  *)
(* that the trace refines Voting.tla.                                      *)
(***************************************************************************)
IsPaxos  == Spec
IsVoting == V!Spec
=============================================================================

/** `synod up`: a whole cluster on this machine, under a supervisor. */
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { createClock, createRandom } from "../adapters/node/clock.js";
import { doorSubject } from "../kernel/bus/subject.js";
import type { Cluster } from "../paxos/cluster.js";
import { ClusterFolder } from "../worker/cluster-folder.js";
import { drawCluster } from "../worker/descriptor.js";
import { EXIT } from "../worker/exit.js";
import { findLoss, formatStores, startWorkers } from "../worker/local-cluster.js";
import { PLACEMENTS, type Placement, proposersFor } from "../worker/placement.js";
import { Supervisor } from "../worker/supervisor.js";
import { useClient } from "./client.js";
import { type ConnectionFlags, type Place, withConnection } from "./connection.js";
import { Failure, toFailure, usage } from "./failure.js";
import { wholeNumber } from "./format.js";
import { onStopSignal } from "./interruption.js";
import { checkInput } from "./lines.js";
import { output, sayFailure } from "./output.js";
import { askChosenSlot, positionBelow } from "./tail.js";
import { count, Tally } from "./tally.js";
import { commandName, duration, say, styled, table, terminalLogger } from "./terminal.js";
import { type InputOptions, runInput, shareInput } from "./up-input.js";
import { findServer, refuseTwins, type UpServer } from "./up-server.js";
import { printingOf } from "./value.js";

interface UpFlags extends ConnectionFlags {
  readonly placement: string;
  readonly acceptors?: string;
  readonly fresh?: boolean;
  readonly exit?: boolean;
  readonly port?: string;
  readonly embedded?: boolean;
}

/** A cluster that runs, before others can find it. */
interface Started {
  readonly server: UpServer;
  readonly space: Place["space"];
}

/** Milliseconds between two looks at the length of the logs. */
const logLookMs = 5000;
/** Milliseconds the processes have to end in good order. */
const stopMsMax = 8000;

const examples = `
Lines of standard input are proposed, chosen values are printed on standard output: in a pipe the
values alone, one a line. The state is kept in .synod/ of this folder: a later \`up\` continues it.

Examples:
  synod up                                    3 acceptors and all other roles, one a process
  synod up --exit < lines.txt > chosen.txt    propose a file, print what was chosen, end
  synod up --placement colocated              three equal processes: the fast one
  synod up --acceptors 5 --fresh              begin anew, with five
  synod up --nats nats://10.0.0.7:4222        on your own NATS server`;

/** Adds the command. */
export function addUp(program: Command): void {
  withConnection(program.command("up"))
    .description("a whole cluster on this machine, until Ctrl-C")
    .option("--placement <how>", PLACEMENTS.join(", "), "separated")
    .option("--acceptors <n>", "acceptors of a new cluster (default: 3)")
    .option("--fresh", "remove what is in .synod/ and begin anew")
    .option("--exit", "end with the input, and print only its own lines")
    .option("--port <n>", "the port of the NATS server that is started here")
    .option("--embedded", "use the embedded broker even if there is a nats-server")
    .addHelpText("after", examples)
    .action(up);
}

async function up(flags: UpFlags): Promise<void> {
  const placement = readPlacement(flags.placement);
  const port = flags.port === undefined ? undefined : wholeNumber(flags.port, "--port", 1, 65_535);
  checkInput();
  const folder = await ClusterFolder.open(process.cwd());
  const tally = new Tally("line");
  let onLoss = () => {};
  const supervisor = new Supervisor({
    logger: terminalLogger,
    clock: createClock(),
    random: createRandom(),
    onLoss: () => onLoss(),
  });
  const interrupted = interruption(tally, flags);
  const looking = setInterval(() => void folder.boundLogs(), logLookMs);
  try {
    const cluster = await continueOrCreate(folder, flags, placement);
    const lost = new Promise<never>((_, reject) => {
      onLoss = () => {
        const processes = supervisor.list();
        // At first each may say how it is, so that all that do not run are counted.
        if (processes.some(({ state, restarts }) => state === "starting" && restarts === 0)) return;
        const loss = findLoss({ cluster, placement }, processes);
        if (loss !== null) reject(new Failure(loss.exitCode, "refused", `not up: ${loss.message}`));
      };
    });
    const main = fileURLToPath(new URL("./main.js", import.meta.url));
    const isEmbedded = flags.embedded === true;
    const request = { flags, port, isEmbedded, folder, supervisor, main };
    const start = async () => {
      const server = await findServer(request);
      const space = { prefix: flags.prefix ?? "synod", cluster: cluster.name };
      await refuseTwins(server, space);
      const { connection, environment } = server;
      const workers = { folder, cluster, placement, supervisor, main, environment };
      const own = flags.prefix === undefined ? [] : ["--prefix", flags.prefix];
      await startWorkers({ ...workers, connection: [...connection, ...own] });
      onLoss();
      return { server, space };
    };
    const announce = async ({ server, space }: Started) => {
      await folder.announce({
        pid: process.pid,
        server: server.url,
        cluster: cluster.name,
        prefix: space.prefix,
        control: doorSubject(space, "ctl"),
        processes: Object.fromEntries(supervisor.list().map(({ name, pid = 0 }) => [name, pid])),
      });
      sayBanner(cluster, server, supervisor, folder, flags.exit !== true);
    };
    const work = async () => {
      const started = await start();
      return runLines({ started, announce: () => announce(started), flags, interrupted, tally });
    };
    process.exitCode = await Promise.race([work(), lost, interrupted]);
  } finally {
    clearInterval(looking);
    await supervisor.stop(stopMsMax);
    await folder.close();
  }
  process.exit();
}

function readPlacement(word: string): Placement {
  if ((PLACEMENTS as readonly string[]).includes(word)) return word as Placement;
  throw usage(`--placement must be one of ${PLACEMENTS.join(", ")}, not ${JSON.stringify(word)}`);
}

/** Reads the cluster of the folder, or draws and formats a new one. */
async function continueOrCreate(
  folder: ClusterFolder,
  flags: UpFlags,
  placement: Placement,
): Promise<Cluster> {
  if (flags.fresh === true) await folder.clear();
  const acceptors =
    flags.acceptors === undefined ? undefined : wholeNumber(flags.acceptors, "--acceptors", 1, 64);
  const known = await folder.cluster();
  if (known !== undefined) {
    if (acceptors !== undefined && acceptors !== known.acceptors.length) {
      throw usage(
        `the cluster in ${folder.path} has ${known.acceptors.length} acceptors: leave ` +
          "--acceptors out to continue it, or begin anew with --fresh, which removes it",
      );
    }
    if (flags.cluster !== undefined && flags.cluster !== known.name) {
      throw usage(
        `the cluster in ${folder.path} is called ${known.name}: leave --cluster out to continue ` +
          "it, or begin anew with --fresh, which removes it",
      );
    }
    return known;
  }
  const name = flags.cluster ?? "demo";
  if (!/^[a-z0-9_-]{1,32}$/.test(name)) {
    throw usage(`--cluster ${JSON.stringify(name)}: use 1 to 32 of a-z, 0-9, _ and -`);
  }
  const count = acceptors ?? 3;
  const proposers = proposersFor(placement, count);
  const cluster = drawCluster({ name, acceptors: count, proposers, random: createRandom() });
  await folder.create(cluster, (data) => formatStores(cluster, data));
  return cluster;
}

interface LinesOptions {
  readonly started: Started;
  readonly announce: () => Promise<void>;
  readonly flags: UpFlags;
  readonly interrupted: Promise<number>;
  readonly tally: Tally;
}

/**
 * Announces the cluster, proposes the lines of the input and prints what is chosen.
 *
 * Why the leader is asked first: whoever reads the announcement may propose, and what is chosen
 * from then on is to be printed, but nothing that was chosen in an earlier life.
 *
 * @returns the exit code
 */
async function runLines(options: LinesOptions): Promise<number> {
  const { started, announce, flags, interrupted, tally } = options;
  const { server, space } = started;
  const printing = printingOf(flags.json);
  const ending = new AbortController();
  const { signal } = ending;
  void interrupted.then(() => ending.abort());
  return useClient({ nats: server.nats, space }, async (client) => {
    const known = await askChosenSlot(client);
    // Without a leader it is announced all the same: then nothing is chosen, and `why` says why.
    await announce();
    const slot = known ?? (await askChosenSlot(client, Number.POSITIVE_INFINITY)) ?? 0;
    const after = await positionBelow(client, slot);
    const input = { client, after, printing, signal, tally };
    try {
      if (flags.exit === true) return await proposeAll(input);
      await shareInput(input);
      return await interrupted;
    } catch (error) {
      throw tally.read === 0 ? error : toFailure(error).inPart(tally.sentence());
    } finally {
      ending.abort();
    }
  });
}

/** Proposes the whole input and says how that went. @returns the exit code */
async function proposeAll(input: InputOptions): Promise<number> {
  const { tally } = input;
  const { first, last, ms } = await runInput(input);
  await output.flush();
  const { chosen, failed } = tally;
  const rate = Math.round(chosen / Math.max(ms / 1000, 0.001)).toLocaleString("en");
  const where = first === undefined ? "" : `, positions ${first} to ${last}`;
  const missed = failed === 0 ? "" : `; ${failed} were not`;
  if (input.signal.aborted) return EXIT.interrupted; // how far it came has been said
  const took = `chosen in ${duration(ms)}${where} (${rate} a second)${missed}`;
  say(`synod: ${count(chosen, "line")} ${took}`);
  return failed === 0 ? EXIT.done : EXIT.failed;
}

/**
 * Resolves with the exit code when a person or another program ends us, and says how far the lines
 * came. SIGTERM is how a service is ended, so it is no failure unless lines are left.
 */
function interruption(tally: Tally, { exit, json }: UpFlags): Promise<number> {
  return new Promise((resolve) => {
    let isOver = false;
    onStopSignal((signal) => {
      if (isOver) return;
      isOver = true;
      const isHalf = exit === true || tally.open > 0;
      if (isHalf) {
        const message = `interrupted: ${tally.sentence()}`;
        const mayHaveHappened = tally.open > 0;
        const code = "interrupted";
        sayFailure(new Failure(EXIT.interrupted, code, message, mayHaveHappened), json === true);
      }
      resolve(signal === "SIGTERM" && !isHalf ? EXIT.done : EXIT.interrupted);
    });
  });
}

function sayBanner(
  cluster: Cluster,
  server: UpServer,
  supervisor: Supervisor,
  folder: ClusterFolder,
  isLasting: boolean,
): void {
  const bold = (text: string) => styled(process.stderr, "bold", text);
  const rows = supervisor.list().map(({ name, pid, state }) => {
    return [`  ${name}`, state === "refused" ? "does not run" : `pid ${pid}`];
  });
  const lines = [
    `${bold(`cluster ${cluster.name} is up`)} on ${server.url} (${server.what})`,
    ...table(rows),
    `  stores and logs in ${folder.path}`,
  ];
  const me = commandName();
  const hints = [
    "Type a line: it is proposed, and shown once it is chosen. In another terminal, here:",
    ...table([
      [`  ${me} propose hello`, "the same, from elsewhere"],
      [`  ${me} chosen --follow`, "what is chosen"],
      [`  ${me} decide colour blue`, "a key: the first value wins, for ever"],
      [`  ${me} status`, "who runs, who leads"],
      [`  ${me} why`, "what each role waits for"],
    ]),
    "Ctrl-C ends it; a later `up` continues it.",
  ];
  for (const line of isLasting ? [...lines, ...hints] : lines) say(line);
}

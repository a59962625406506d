#!/usr/bin/env node
/** The command line: one file per command; this one puts them together and says how they ended. */
import { Command, CommanderError } from "commander";
import { EXIT } from "../worker/exit.js";
import { version } from "./connection.js";
import { sayFailure, toFailure } from "./failure.js";

const description =
  "Paxos roles as statecharts in worker processes, talking over NATS.\n" +
  "Begin with `synod up` in an empty folder.";

type Add = (program: Command) => void;

/** The commands in the order of the help. Only the one that is called is loaded. */
const commands: Readonly<Record<string, () => Promise<Add>>> = {
  up: async () => (await import("./up.js")).addUp,
  propose: async () => (await import("./propose.js")).addPropose,
  chosen: async () => (await import("./chosen.js")).addChosen,
  decide: async () => (await import("./decide.js")).addDecide,
  status: async () => (await import("./status.js")).addStatus,
  why: async () => (await import("./why.js")).addWhy,
  prove: async () => (await import("./prove.js")).addProve,
  chart: async () => (await import("./chart.js")).addChart,
  sim: async () => (await import("./sim.js")).addSim,
  explore: async () => (await import("./explore.js")).addExplore,
  format: async () => (await import("./format.js")).addFormat,
  move: async () => (await import("./move.js")).addMove,
  worker: async () => (await import("./worker.js")).addWorker,
  broker: async () => (await import("./broker.js")).addBroker,
};

async function addCommands(program: Command): Promise<void> {
  const [, , called = ""] = process.argv;
  const load = Object.hasOwn(commands, called) ? commands[called] : undefined;
  const loads = load === undefined ? Object.values(commands) : [load];
  for (const add of await Promise.all(loads.map((one) => one()))) add(program);
}

async function buildProgram(): Promise<Command> {
  const program = new Command("synod");
  program
    .description(description)
    .version(await version(), "--version", "print the version")
    .helpOption("-h, --help", "how to use it")
    .helpCommand("help [command]", "how to use a command")
    .configureHelp({ showGlobalOptions: false })
    .showHelpAfterError("(add --help for how to use it)")
    .showSuggestionAfterError();
  await addCommands(program);
  for (const command of program.commands) {
    command.helpOption("-h, --help", "how to use it").exitOverride();
  }
  return program.exitOverride();
}

async function main(): Promise<void> {
  if (process.platform === "win32") {
    process.stderr.write("synod: this runs on Linux and macOS: on Windows use it in WSL 2\n");
    process.exitCode = EXIT.failed;
    return;
  }
  // Whoever reads us may stop reading: `synod chosen | head`.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    process.exit(error.code === "EPIPE" ? EXIT.done : EXIT.failed);
  });
  try {
    const program = await buildProgram();
    await program.parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) {
      // Commander has said what is wrong.
      process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
      return;
    }
    const failure = toFailure(error);
    sayFailure(failure, process.argv.includes("--json"));
    // Not by itself: an input that is open, or a connection that will not close, must not hold us.
    process.exit(failure.exitCode);
  }
}

void main();

#!/usr/bin/env node
/** The command line: one file per command; this one puts them together and says how they ended. */
import { Command, CommanderError } from "commander";
import { EXIT } from "../worker/exit.js";
import { addBroker } from "./broker.js";
import { addChart } from "./chart.js";
import { addChosen } from "./chosen.js";
import { version } from "./connection.js";
import { addDecide } from "./decide.js";
import { sayFailure, toFailure } from "./failure.js";
import { addFormat } from "./format.js";
import { addPropose } from "./propose.js";
import { addStatus } from "./status.js";
import { addUp } from "./up.js";
import { addWhy } from "./why.js";
import { addWorker } from "./worker.js";

const description =
  "Paxos roles as statecharts in worker processes, talking over NATS.\n" +
  "Begin with `synod up` in an empty folder.";

/** In the order of the help. */
const commands = [
  ...[addUp, addPropose, addChosen, addDecide],
  ...[addStatus, addWhy, addChart],
  ...[addFormat, addWorker, addBroker],
];

async function buildProgram(): Promise<Command> {
  const program = new Command("synod");
  program
    .description(description)
    .version(await version(), "--version", "print the version")
    .helpOption("--help", "how to use it")
    .helpCommand("help [command]", "how to use a command")
    .configureHelp({ showGlobalOptions: false })
    .showHelpAfterError("(add --help for how to use it)")
    .showSuggestionAfterError();
  for (const add of commands) add(program);
  for (const command of program.commands) {
    command.helpOption("--help", "how to use it").exitOverride();
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
    process.exitCode = failure.exitCode;
  }
}

void main();

/** The commands, put together; `main.ts` loads this, and must be able to say why it cannot. */
import { Command, CommanderError } from "commander";
import { EXIT } from "../worker/exit.js";
import { version } from "./connection.js";
import { usage } from "./failure.js";
import { output } from "./output.js";

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

async function buildProgram(isJson: boolean): Promise<Command> {
  const program = new Command("synod");
  program
    .configureOutput({
      writeOut: (text) => void output.write(text).catch(() => {}),
      // With --json what is wrong is told as an object, by who catches it.
      writeErr: (text) => void (isJson || process.stderr.write(text)),
    })
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

/**
 * Runs the command that the arguments call.
 *
 * @param isJson whether `--json` is among them
 * @throws Failure, or what the command throws
 */
export async function runProgram(isJson: boolean): Promise<void> {
  const program = await buildProgram(isJson);
  try {
    await program.parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return;
    process.exitCode = EXIT.usage;
    if (isJson) throw usage(error.message.replace(/^error: /, "").replaceAll("\n", " "));
  }
}

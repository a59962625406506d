/** `synod worker`: runs roles in this process. */
import type { Command } from "commander";
import { createLogger, type LogLevel } from "../adapters/pino/logger.js";
import { EXIT } from "../worker/exit.js";
import { hasSupervisor, onSupervisorStop, tellSupervisor } from "../worker/parent.js";
import { RUNNABLE_ROLES } from "../worker/roles.js";
import { startWorker, type Worker, WorkerRefused } from "../worker/worker.js";
import { type ConnectionFlags, findPlace, withConnection } from "./connection.js";
import { Failure, usage } from "./failure.js";
import { onStopSignal } from "./interruption.js";
import { output, sayFailure } from "./output.js";

interface WorkerFlags extends ConnectionFlags {
  readonly id?: string;
  readonly data?: string;
  readonly descriptor: string;
  readonly logLevel: string;
}

const levels: readonly string[] = ["debug", "info", "warn", "error", "silent"];
/** Milliseconds a stop may take before the process ends all the same. */
const stopMsMax = 10_000;

const examples = `
Roles: ${RUNNABLE_ROLES.join(", ")}

Examples:
  synod worker acceptor:a1 --data data --descriptor cluster.yaml
  synod worker acceptor proposer elector learner gateway --id n1 --data data
  synod worker learner --nats nats://10.0.0.7:4222

With SYNOD_TRACE=FOLDER in the environment, what the roles do is traced there (ptrace/1), a file
a role: see src/trace/README.md.

Exit code ${EXIT.refused} means: do not start it again before you have read why;
${EXIT.noRoom}: its disk is full, start it again once there is room.`;

/** Adds the command. */
export function addWorker(program: Command): void {
  withConnection(program.command("worker"))
    .description("run roles in this process")
    .argument("<role...>", "role, or role:id")
    .option("--id <id>", "the id of the roles that have none of their own")
    .option("--data <folder>", "the folder of the stores, for roles that remember")
    .option("--descriptor <file>", "the cluster's descriptor", "cluster.yaml")
    .option(
      "--log-level <level>",
      `how much is logged on standard error: ${levels.join(", ")}`,
      "info",
    )
    .addHelpText("after", examples)
    .action(work);
}

async function work(roles: readonly string[], flags: WorkerFlags): Promise<void> {
  if (!levels.includes(flags.logLevel)) {
    throw usage(`--log-level must be one of ${levels.join(", ")}, not ${flags.logLevel}`);
  }
  const place = await findPlace(flags);
  const logger = createLogger({
    level: flags.logLevel as LogLevel,
    destination: "stderr",
    pretty: process.stderr.isTTY === true,
  });
  const stop = stopSignal();
  const { SYNOD_TRACE: trace } = process.env;
  let worker: Worker;
  try {
    worker = await startWorker({
      roles,
      id: flags.id,
      cluster: flags.descriptor,
      nats: place.nats,
      data: flags.data,
      prefix: place.space.prefix,
      logger,
      trace: trace === "" ? undefined : trace,
      signal: stop,
      onHalt: (role, id, why) => void tellSupervisor({ kind: "halted", role, id, why }),
    });
  } catch (error) {
    if (stop.aborted) return;
    if (error instanceof WorkerRefused) {
      await leave(error.mayPass ? EXIT.noRoom : EXIT.refused, error.message, flags.json === true);
    }
    throw error;
  }
  logger.info({ roles: worker.roles, cluster: worker.cluster.name }, "serving");
  for (const { role, id, state, why } of worker.status().roles) {
    if (state === "halted") await tellSupervisor({ kind: "halted", role, id, why: why ?? "" });
  }
  await tellSupervisor({ kind: "ready" });
  const ending = await worker.ended;
  await worker.stop();
  logger.flush();
  await leave(ending.exitCode, ending.why, flags.json === true);
}

/** The word for an exit code in `--json`. */
const words: Readonly<Record<number, string>> = {
  [EXIT.refused]: "refused",
  [EXIT.noRoom]: "no_room",
};

/** Ends this process and tells the supervisor why. */
async function leave(exitCode: number, why: string, isJson: boolean): Promise<void> {
  if (exitCode !== EXIT.done) {
    const code = words[exitCode] ?? "failed";
    if (!hasSupervisor()) sayFailure(new Failure(exitCode, code, why), isJson);
    await output.flush();
    await tellSupervisor({ kind: "ending", why });
  }
  process.exit(exitCode);
}

/** Aborts on a signal, and when the supervisor says so or is gone. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) return;
    controller.abort();
    setTimeout(() => process.exit(EXIT.failed), stopMsMax).unref();
  };
  // Ctrl-C and the end of a terminal reach the whole group; under a supervisor that one decides.
  onStopSignal((signal) => {
    if (signal === "SIGTERM" || !hasSupervisor()) stop();
  });
  onSupervisorStop(stop);
  return controller.signal;
}

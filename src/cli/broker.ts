/** `synod broker`: the embedded broker as a process of its own; started by `up`, not by people. */
import type { Command } from "commander";
import { startBroker } from "../broker/broker.js";
import { hasSupervisor, onSupervisorStop, tellSupervisor } from "../worker/parent.js";
import { wholeNumber } from "./format.js";
import { onStopSignal } from "./interruption.js";
import { say } from "./terminal.js";

/** Adds the command; it is not shown in the help. */
export function addBroker(program: Command): void {
  program
    .command("broker", { hidden: true })
    .description("the embedded broker, on loopback")
    .option("--port <n>", "TCP port; 0 picks a free one", "0")
    .action(async ({ port }: { port: string }) => {
      const broker = await startBroker({ port: wholeNumber(port, "--port", 0, 65_535) });
      say(`synod: broker on ${broker.url}`);
      const stop = () => void broker.close().then(() => process.exit(0));
      onStopSignal((signal) => {
        if (signal === "SIGTERM" || !hasSupervisor()) stop();
      });
      onSupervisorStop(stop);
      await tellSupervisor({ kind: "ready" });
      await new Promise(() => {});
    });
}

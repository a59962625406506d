/** The chart as JSON: the configuration without its context, and nothing lost. */
import type { AnyStateMachine } from "xstate";

/** The configuration without `context`, its one part that is code, and what `setup` adds to it. */
export function chartConfig(machine: AnyStateMachine): Readonly<Record<string, unknown>> {
  const { context: _, schemas: __, ...config } = machine.config as Record<string, unknown>;
  return config;
}

/** Writes a machine's chart as JSON, ready for Stately Sketch or any reader of XState v5. */
export function chartJson(machine: AnyStateMachine): string {
  return `${JSON.stringify(chartConfig(machine), null, 2)}\n`;
}

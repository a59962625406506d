/** `synod chart`: the statechart of a role, as text for a picture or another tool. */
import type { Command } from "commander";
import { roles } from "../../actors/index.js";
import { readChart } from "../charts/ir.js";
import { chartConfig, chartJson } from "../charts/json.js";
import { chartMermaid } from "../charts/mermaid.js";
import { chartModule } from "../charts/xstate.js";
import type { RoleDefinition } from "../kernel/role.js";
import { closest } from "../worker/closest.js";
import { usage } from "./failure.js";
import { output } from "./output.js";
import { result } from "./terminal.js";

const formats = ["mermaid", "json", "xstate"] as const;
type Format = (typeof formats)[number];

interface ChartFlags {
  readonly format?: string;
  readonly json?: boolean;
}

const definitions: readonly RoleDefinition[] = Object.values(roles);
const names = definitions.map(({ name }) => name);

const examples = `
Roles: ${names.join(", ")}

Examples:
  synod chart acceptor > acceptor.mmd         a Mermaid picture; GitHub draws it
  synod chart proposer --format xstate        paste it into https://sketch.stately.ai and play
  synod chart --format json | jq 'keys'
  synod chart --json | jq .id                 an object a line`;

/** Adds the command. */
export function addChart(program: Command): void {
  program
    .command("chart")
    .description("the statechart of a role, or of all")
    .argument("[role]", "all roles if left out")
    .option("--format <format>", `${formats.join(", ")} (default: mermaid)`)
    .option("--json", "print one JSON object a line: the chart of a role")
    .addHelpText("after", examples)
    .action(printCharts);
}

async function printCharts(role: string | undefined, flags: ChartFlags): Promise<void> {
  const { format = "mermaid", json } = flags;
  if (json === true) {
    if (flags.format !== undefined) throw usage("--json is a format: leave --format out");
    const found = role === undefined ? definitions : [find(role)];
    for (const { machine } of found) result(JSON.stringify(chartConfig(machine)));
    return;
  }
  if (!isFormat(format)) {
    throw usage(`--format must be one of ${formats.join(", ")}, not ${JSON.stringify(format)}`);
  }
  await output.write(role === undefined ? allCharts(format) : oneChart(find(role), format));
}

function isFormat(word: string): word is Format {
  return (formats as readonly string[]).includes(word);
}

function find(role: string): RoleDefinition {
  const found = definitions.find(({ name }) => name === role);
  if (found !== undefined) return found;
  const close = closest(role, names);
  const hint = close === undefined ? `known are ${names.join(", ")}` : `did you mean ${close}?`;
  throw usage(`there is no role ${JSON.stringify(role)}: ${hint}`);
}

function oneChart({ machine }: RoleDefinition, format: Format): string {
  if (format === "json") return chartJson(machine);
  return format === "xstate" ? chartModule(machine) : chartMermaid(readChart(machine.config));
}

function allCharts(format: Format): string {
  if (format === "xstate") throw usage("a module holds one chart: name a role");
  if (format === "mermaid") {
    return definitions.map((role) => `%% ${role.name}\n${oneChart(role, format)}`).join("\n");
  }
  const all = definitions.map(({ name, machine }) => [name, chartConfig(machine)]);
  return `${JSON.stringify(Object.fromEntries(all), null, 2)}\n`;
}

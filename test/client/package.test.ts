/**
 * Goal: a program gets the package's types and modules, whatever resolver it uses, checks our types
 * as its own, and hands in a connection of either generation of the client.
 * Method: the packed package in a folder of its own, compiled by tsc and run by Node.
 */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { guardFolder } from "../support/guard.js";

const run = promisify(execFile);
const installed = resolve("node_modules");
const tsc = join(installed, "typescript/bin/tsc");

interface Manifest {
  readonly main: string;
  readonly types: string;
  readonly typesVersions: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  readonly exports: Readonly<Record<string, { readonly types: string; readonly default: string }>>;
  readonly dependencies: Readonly<Record<string, string>>;
}

let folder: string;
let manifest: Manifest;
const packed = () => join(folder, "node_modules/synod");

/** Installs a package that this repository has. */
async function link(name: string): Promise<void> {
  const path = join(folder, "node_modules", name);
  await mkdir(dirname(path), { recursive: true });
  await symlink(join(installed, name), path);
}

/** Compiles a program against the package. @returns what the compiler says */
async function compile(options: object, type: "commonjs" | "module", text: string) {
  const strict = { target: "ES2022", strict: true, noEmit: true, skipLibCheck: false };
  const compilerOptions = { ...strict, types: ["node"], ...options };
  await writeFile(join(folder, "package.json"), JSON.stringify({ type }));
  await writeFile(join(folder, "app.ts"), text);
  const config = { compilerOptions, files: ["app.ts"] };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify(config));
  return run(process.execPath, [tsc, "-p", folder], { cwd: folder }).then(
    ({ stdout }) => stdout,
    ({ stdout }: { stdout: string }) => stdout,
  );
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "synod-package-"));
  guardFolder(folder);
  await run("npm", ["pack", "--ignore-scripts", "--pack-destination", folder]);
  await mkdir(packed(), { recursive: true });
  const archive = join(folder, "synod-0.1.0.tgz");
  await run("tar", ["xzf", archive, "--strip-components=1", "-C", packed()]);
  manifest = JSON.parse(await readFile(join(packed(), "package.json"), "utf8"));
  const own = Object.keys(manifest.dependencies).filter((name) => name !== "nats");
  for (const name of [...own, "@types/node", "@nats-io/transport-node"]) await link(name);
}, 60_000);

const program = `
import { connect, type Receipt, type Synod, UnavailableError } from "synod";
import { type RunningCluster, startCluster } from "synod/worker";

export async function say(): Promise<Receipt> {
  const synod: Synod = await connect({
    cluster: "demo",
    nats: { servers: ["a", "b"], credentials: async () => ({ user: "ann", pass: "pw" }) },
  });
  for await (const { value } of synod.chosen()) console.log(value);
  return synod.propose({ order: 7 }).catch((error: unknown) => {
    throw error instanceof UnavailableError ? error.code : error;
  });
}
export const start = (): Promise<RunningCluster> => startCluster({ transport: "memory" });
// @ts-expect-error: neither a connection nor an option
connect({ cluster: "demo", nats: { publish: 1 } });
`;
const withConnection = (client: string) => `
import { connect as connectToNats } from "${client}";
${program}
export const open = async () => connect({ cluster: "demo", nats: await connectToNats() });
`;

/** Resolvers, and whether they find `@nats-io/transport-node`, whose types must check, too. */
const resolvers = [
  { module: "commonjs", moduleResolution: "node10", type: "commonjs", client: undefined },
  { module: "node16", moduleResolution: "node16", type: "module", client: "v3" },
] as const;

describe("types", () => {
  it.each(resolvers)(
    "check under $moduleResolution, $type, without skipLibCheck, without nats",
    async ({ module, moduleResolution, type, client }) => {
      const text = client === undefined ? program : withConnection("@nats-io/transport-node");
      expect(await compile({ module, moduleResolution }, type, text)).toBe("");
    },
    60_000,
  );

  it("take a connection of nats 2, whose own types do not check", async () => {
    await link("nats");
    const options = { module: "node16", moduleResolution: "node16", skipLibCheck: true };
    expect(await compile(options, "module", withConnection("nats"))).toBe("");
  }, 60_000);
});

describe("modules", () => {
  it("older resolvers get the files that others get", async () => {
    const { main, types, typesVersions, exports } = manifest;
    expect([main, types]).toEqual([exports["."]?.default, exports["."]?.types]);
    expect(typesVersions["*"]?.["worker"]).toEqual([exports["./worker"]?.types]);
    const files = Object.values(exports).flatMap((door) => [door.types, door.default]);
    for (const file of files) expect((await stat(join(packed(), file))).isFile()).toBe(true);
  });

  it("load by import, and by require where Node can", async () => {
    const doors = `[typeof client.connect, typeof worker.startWorker].join()`;
    const load = async (file: string, text: string) => {
      await writeFile(join(folder, file), text);
      return (await run(process.execPath, [file], { cwd: folder })).stdout;
    };
    const imported =
      `import * as client from "synod"; import * as worker from "synod/worker";` +
      `console.log(${doors})`;
    expect(await load("app.mjs", imported)).toBe("function,function\n");
    const required =
      `const client = require("synod"), worker = require("synod/worker");` +
      `console.log(${doors})`;
    expect(await load("app.cjs", required)).toBe("function,function\n");
  });
});

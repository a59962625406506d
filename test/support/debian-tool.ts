/**
 * A program that tests need: found where the person or the system has it, or on Debian fetched
 * without installing it.
 */
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { constants, existsSync } from "node:fs";
import { access, copyFile, cp, mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** Where a program is, or why there is none. */
export type FoundTool = { readonly path: string } | { readonly missing: string };

/** A program, and how Debian has it. */
export interface DebianTool {
  /** The program and the package. */
  readonly name: string;
  /** Environment variable with its path: what it names is taken, or nothing. */
  readonly variable: string;
  /** Its folder in the package: `usr/sbin`. */
  readonly folder: string;
  /** Packages with the libraries it needs that not every Debian has. */
  readonly libraries?: readonly string[];
}

const run = promisify(execFile);
/** Milliseconds one apt-get call may take. */
const downloadMsMax = 120_000;

/** Finds one program, and looks only once. */
export class ToolFinder {
  readonly #tool: DebianTool;
  #found: Promise<FoundTool> | undefined;

  constructor(tool: DebianTool) {
    this.#tool = tool;
  }

  /**
   * Finds it: its variable, then PATH, then the copy fetched earlier, then (Debian) fetches one.
   *
   * @returns its path, or the reason to skip with
   * @throws Error with that reason if `CI` is `true`: there a silent skip would be a hole
   */
  async find(): Promise<FoundTool> {
    this.#found ??= this.#search();
    const result = await this.#found;
    const { CI } = process.env;
    if ("missing" in result && CI === "true") {
      throw new Error(`the tests need ${this.#tool.name}: ${result.missing}`);
    }
    return result;
  }

  /**
   * Finds it once for a whole test run; for vitest's `globalSetup`, whose environment the workers
   * inherit.
   */
  async prepare(): Promise<void> {
    const result = await this.find();
    const { variable } = this.#tool;
    const told =
      "path" in result ? { [variable]: result.path } : { [this.#missingVariable]: result.missing };
    Object.assign(process.env, told);
  }

  /** Tells the workers of a test run that `prepare` looked already and why it found nothing. */
  get #missingVariable(): string {
    return `SYNOD_TEST_${this.#tool.variable}_MISSING`;
  }

  async #search(): Promise<FoundTool> {
    const { name, variable, folder } = this.#tool;
    const { [variable]: told, [this.#missingVariable]: known } = process.env;
    if (told !== undefined && told !== "") {
      const missing = `${variable} is ${told}, which is not an executable file`;
      return (await isExecutable(told)) ? { path: told } : { missing };
    }
    if (known !== undefined) return { missing: known };
    const cached = join(cacheFolder(), name, name);
    // Debian installs some where only root's PATH leads.
    const path = (await onPath(name)) ?? (await firstExecutable([`/${folder}/${name}`, cached]));
    if (path !== undefined) return { path };
    if (!existsSync("/etc/debian_version") || (await onPath("apt-get")) === undefined) {
      return { missing: `${name} is not on PATH; install it or set ${variable} to its path` };
    }
    try {
      await download(this.#tool, cached);
      return { path: cached };
    } catch (error) {
      const { stderr, message } = error as Error & { stderr?: string };
      const reason = stderr?.trim().split("\n").at(-1) ?? message;
      return { missing: `${name} is not on PATH and could not be fetched: ${reason}` };
    }
  }
}

/**
 * Unpacks Debian's package next to `target`'s folder, then renames: several workers may do so at
 * once.
 */
async function download(tool: DebianTool, target: string): Promise<void> {
  const folder = join(cacheFolder(), `${tool.name}.${process.pid}.${randomUUID()}`);
  const result = join(folder, "result");
  const [state, cache] = [join(folder, "state"), join(folder, "cache")];
  try {
    await mkdir(join(state, "lists", "partial"), { recursive: true });
    await mkdir(join(cache, "archives", "partial"), { recursive: true });
    await mkdir(result);
    const settings = [`Dir::State=${state}`, `Dir::Cache=${cache}`, "Acquire::Languages=none"];
    // Root's apt drops to a user of its own, who may not write into our folder.
    settings.push("APT::Sandbox::User=root", "Acquire::http::Timeout=20", "Acquire::Retries=1");
    const options = ["-qq", ...settings.flatMap((setting) => ["-o", setting])];
    const within = { cwd: folder, timeout: downloadMsMax };
    // One dead source fails the update although the others suffice; the download is the judge.
    await run("apt-get", [...options, "update"], within).catch(() => {});
    const packages = [tool.name, ...(tool.libraries ?? [])];
    await run("apt-get", [...options, "download", ...packages], within);
    const archives = (await readdir(folder)).filter((file) => file.endsWith(".deb"));
    if (archives.length !== packages.length) throw new Error("apt-get download left no package");
    for (const archive of archives) await run("dpkg-deb", ["-x", archive, "tree"], within);
    await gather(tool, join(folder, "tree"), result);
    await rename(result, dirname(target)).catch(async (error: unknown) => {
      // Somebody else was faster, which is as good.
      if (!(await isExecutable(target))) throw error;
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Copies the program, and a script in its place if it brings libraries. */
async function gather(tool: DebianTool, tree: string, result: string): Promise<void> {
  const { name, libraries = [] } = tool;
  const program = join(tree, tool.folder, name);
  if (libraries.length === 0) {
    await copyFile(program, join(result, name));
    return;
  }
  await copyFile(program, join(result, `${name}.bin`));
  for (const lib of ["lib", "usr/lib"]) {
    for (const triplet of await readdir(join(tree, lib)).catch(() => [])) {
      await cp(join(tree, lib, triplet), join(result, "lib"), { recursive: true });
    }
  }
  const script = `#!/bin/sh
here=$(dirname "$0")
LD_LIBRARY_PATH="$here/lib" exec "$here/${name}.bin" "$@"
`;
  await writeFile(join(result, name), script, { mode: 0o755 });
}

/** `node_modules/.cache` of the package this file is in. */
function cacheFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json")) && dirname(folder) !== folder) {
    folder = dirname(folder);
  }
  return join(folder, "node_modules", ".cache");
}

function onPath(command: string): Promise<string | undefined> {
  const { PATH = "" } = process.env;
  const folders = PATH.split(delimiter).filter((folder) => folder !== "");
  return firstExecutable(folders.map((folder) => join(folder, command)));
}

async function firstExecutable(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    if (await isExecutable(path)) return path;
  }
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

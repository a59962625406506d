import { readdir, readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { jwtAuthenticator } from "nats";
import { NatsConnectError } from "./errors.js";
import type { NatsCredentials, NatsOptions } from "./given.js";

/** The environment a path is looked up in. */
interface Environment {
  readonly HOME?: string | undefined;
  readonly XDG_CONFIG_HOME?: string | undefined;
}

/** A context file of the `nats` command, as far as it concerns us; all are texts. */
type Field =
  | ("url" | "user" | "password" | "token" | "creds" | "nkey" | "user_jwt" | "user_seed")
  | ("cert" | "key" | "ca" | "inbox_prefix" | "nsc" | "socks_proxy");

/** What a context asks for and we cannot give. */
const unsupported: readonly Field[] = ["nsc", "socks_proxy"];

/**
 * Reads a context that was saved with `nats context add NAME`.
 *
 * Of several kinds of credentials the first counts, in the order of the `nats` command: user,
 * creds, nkey, JWT, token. They are read again at each dial: the files may change meanwhile.
 *
 * @param name the context's name, or the absolute path of a context file
 * @param env where HOME and XDG_CONFIG_HOME are read
 * @throws NatsConnectError `missing_file` or `bad_options`, without any of the file's content
 */
export async function readNatsContext(
  name: string,
  env: Environment = process.env,
): Promise<NatsOptions> {
  const home = env.HOME ?? homedir();
  const path = await pathOf(name, env.XDG_CONFIG_HOME || join(home, ".config"));
  const readFields = async () => fieldsOf(await read(path, unreadable), path);
  const fields = await readFields();
  for (const field of unsupported) {
    if (fields[field] !== undefined) {
      const message = `the NATS context ${path} uses ${field}, which synod cannot: leave it out`;
      throw new NatsConnectError("bad_options", message);
    }
  }
  const at = (file: string) => file.replace(/^~(?=\/)/, home);
  const credentials = async () => credentialsOf(await readFields(), at);
  // A missing file is said now, not at the first dial.
  await credentials();
  return {
    servers: fields.url,
    inboxPrefix: fields.inbox_prefix,
    credentials,
    ...tlsOf(fields, at),
  };
}

/**
 * Reads a credentials file, as `nsc generate creds` writes it.
 *
 * @returns its content, for the option `creds`
 * @throws NatsConnectError `missing_file`
 */
export async function readCreds(path: string): Promise<string> {
  const text = await read(path, (file, why) => `cannot read the credentials file ${file} (${why})`);
  if (!text.includes("USER JWT") || !text.includes("NKEY SEED")) {
    const message = `${path} is no credentials file: it must hold a user JWT and an nkey seed`;
    throw new NatsConnectError("missing_file", message);
  }
  return text;
}

async function pathOf(name: string, configFolder: string): Promise<string> {
  if (isAbsolute(name)) {
    return name;
  }
  const folder = join(configFolder, "nats", "context");
  const files = await readdir(folder).catch(() => []);
  const known = files.filter((file) => file.endsWith(".json")).map((file) => file.slice(0, -5));
  if (!known.includes(name)) {
    const others = known.length === 0 ? "there are none" : `known are: ${known.sort().join(", ")}`;
    const message =
      `there is no NATS context "${name}" in ${folder} (${others}): ` +
      `make it with "nats context add", or name a server with --nats`;
    throw new NatsConnectError("missing_file", message);
  }
  return join(folder, `${name}.json`);
}

async function read(path: string, say: (path: string, why: string) => string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    const why = code === "ENOENT" ? "it does not exist" : code;
    throw new NatsConnectError("missing_file", `${say(path, why)}: check the path`, error);
  }
}

function unreadable(path: string, why: string): string {
  return `cannot read the NATS context ${path} (${why})`;
}

/** The texts of a context; empty ones count as absent. */
function fieldsOf(json: string, path: string): Partial<Record<Field, string>> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    // What the parser says quotes the file, which may hold a password.
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    const message = `the NATS context ${path} is no JSON object: write it with "nats context add"`;
    throw new NatsConnectError("bad_options", message);
  }
  return Object.fromEntries(
    Object.entries(parsed).filter(([, value]) => typeof value === "string" && value !== ""),
  );
}

async function credentialsOf(
  fields: Partial<Record<Field, string>>,
  at: (file: string) => string,
): Promise<NatsCredentials> {
  const { user, password, creds, nkey, user_jwt, user_seed, token } = fields;
  if (user !== undefined) {
    return { user, pass: password };
  }
  if (creds !== undefined) {
    return { creds: await readCreds(at(creds)) };
  }
  if (nkey !== undefined) {
    const say = (file: string, why: string) => `cannot read the nkey file ${file} (${why})`;
    return { nkey: seedIn(await read(at(nkey), say)) };
  }
  if (user_jwt !== undefined) {
    const seed = user_seed === undefined ? undefined : new TextEncoder().encode(user_seed);
    return { authenticator: jwtAuthenticator(user_jwt, seed) };
  }
  return { token };
}

/** The seed among comments, as `nk` and `nsc` write it. */
function seedIn(text: string): string {
  return /^\s*(S[A-Z2-7]{50,})\s*$/m.exec(text)?.[1] ?? text.trim();
}

function tlsOf(
  { cert, key, ca }: Partial<Record<Field, string>>,
  at: (file: string) => string,
): NatsOptions {
  if (cert === undefined && key === undefined && ca === undefined) {
    return {};
  }
  return {
    tls: {
      ...(cert !== undefined && { certFile: at(cert) }),
      ...(key !== undefined && { keyFile: at(key) }),
      ...(ca !== undefined && { caFile: at(ca) }),
    },
  };
}

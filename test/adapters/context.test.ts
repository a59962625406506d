/** Contexts of the nats command, credentials files, and what options become. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nkeys } from "nats";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readCreds, readNatsContext } from "../../src/adapters/nats/context.js";
import type { NatsConnectError } from "../../src/adapters/nats/errors.js";
import type { NatsOptions } from "../../src/adapters/nats/given.js";
import { planDial } from "../../src/adapters/nats/options.js";

/** The private seed of a user nobody knows. */
const seed = new TextDecoder().decode(nkeys.createUser().getSeed());
const creds =
  `-----BEGIN NATS USER JWT-----\neyJ0.eyJq.c2ln\n------END NATS USER JWT------\n\n` +
  `-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`;

let home: string;
let env: Record<string, string>;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "synod-context-"));
  env = { HOME: home };
  await mkdir(join(home, ".config", "nats", "context"), { recursive: true });
  await writeFile(join(home, "user.creds"), creds);
});
afterAll(() => rm(home, { recursive: true, force: true }));

async function save(name: string, content: object | string): Promise<void> {
  const json = typeof content === "string" ? content : JSON.stringify(content);
  await writeFile(join(home, ".config", "nats", "context", `${name}.json`), json);
}

async function refusal(run: () => unknown): Promise<NatsConnectError> {
  try {
    await run();
  } catch (error) {
    return error as NatsConnectError;
  }
  throw new Error("was not refused");
}

async function credentialsOf(name: string) {
  return (await readNatsContext(name, env)).credentials?.();
}

describe("a context", () => {
  test("gives address, user, inbox prefix and TLS files; empty fields are none", async () => {
    await save("full", {
      description: "x",
      url: "nats://one:4222,nats://two:4222",
      user: "ann",
      password: "geheim",
      token: "",
      creds: "",
      inbox_prefix: "_INBOX_ann",
      ca: "~/ca.pem",
      tls_first: false,
    });
    expect(await readNatsContext("full", env)).toEqual({
      servers: "nats://one:4222,nats://two:4222",
      credentials: expect.any(Function),
      inboxPrefix: "_INBOX_ann",
      tls: { caFile: join(home, "ca.pem") },
    });
    expect(await credentialsOf("full")).toEqual({ user: "ann", pass: "geheim" });
  });

  test("credentials: of several the first counts; files are read, ~ is the home", async () => {
    await save("creds", { url: "nats://x", creds: "~/user.creds", token: "t" });
    expect(await credentialsOf("creds")).toEqual({ creds });
    await writeFile(join(home, "user.nk"), `# a key\n${seed}\n`);
    await save("nkey", { nkey: join(home, "user.nk") });
    expect(await credentialsOf("nkey")).toEqual({ nkey: seed });
    await save("token", { token: "t" });
    expect(await credentialsOf("token")).toEqual({ token: "t" });
    await save("jwt", { user_jwt: "a.b.c", user_seed: seed });
    const authenticator = (await credentialsOf("jwt"))?.authenticator;
    expect((authenticator as (nonce: string) => object)("n")).toMatchObject({ jwt: "a.b.c" });
  });

  test("XDG_CONFIG_HOME leads elsewhere; a path is taken as it is", async () => {
    const folder = join(home, "elsewhere");
    await mkdir(join(folder, "nats", "context"), { recursive: true });
    const path = join(folder, "nats", "context", "x.json");
    await writeFile(path, JSON.stringify({ url: "nats://there" }));
    const there = { servers: "nats://there" };
    expect(await readNatsContext("x", { ...env, XDG_CONFIG_HOME: folder })).toMatchObject(there);
    expect(await readNatsContext(path, env)).toMatchObject(there);
  });

  test("missing: a sentence with what there is and what to do", async () => {
    const error = await refusal(() => readNatsContext("prod", { HOME: join(home, "nobody") }));
    expect(error.code).toBe("missing_file");
    expect(error.message).toBe(
      `there is no NATS context "prod" in ${home}/nobody/.config/nats/context (there are none): ` +
        `make it with "nats context add", or name a server with --nats`,
    );
    await save("dev", { url: "nats://x" });
    const other = await refusal(() => readNatsContext("../dev", env));
    expect(other.message).toMatch(/known are: .*dev/);
    await save("gone", { creds: "/nowhere/user.creds" });
    const file = await refusal(() => readNatsContext("gone", env));
    expect(file.message).toBe(
      "cannot read the credentials file /nowhere/user.creds (it does not exist): check the path",
    );
  });

  test("broken or beyond us: told, without what the file says", async () => {
    await save("broken", '{"password": "geheim", ');
    await save("list", '["geheim"]');
    for (const name of ["broken", "list"]) {
      const error = await refusal(() => readNatsContext(name, env));
      expect(error.code).toBe("bad_options");
      expect(`${error.stack} ${String(error.cause)}`).not.toContain("geheim");
    }
    await save("nsc", { nsc: "nsc://operator/account/user" });
    const error = await refusal(() => readNatsContext("nsc", env));
    expect(error.message).toContain("uses nsc, which synod cannot");
  });

  test("a credentials file is checked for its two parts", async () => {
    expect(await readCreds(join(home, "user.creds"))).toBe(creds);
    await writeFile(join(home, "half.creds"), "geheim");
    const error = await refusal(() => readCreds(join(home, "half.creds")));
    expect(error.message).toContain("it must hold a user JWT and an nkey seed");
    expect(error.message).not.toContain("geheim");
  });
});

describe("options", () => {
  test("defaults: one local server, quick pings, rounds without end", () => {
    const plan = planDial({});
    expect(plan.servers).toEqual(["127.0.0.1:4222"]);
    expect(plan.client).toMatchObject({ pingInterval: 5_000, maxPingOut: 2, noAsyncTraces: true });
    expect(plan.roundsMax).toBe(-1);
    for (let i = 0; i < 100; i += 1) {
      const pause = plan.pauseMs();
      expect(pause >= 250 && pause <= 350).toBe(true);
    }
  });

  test("what the package takes is passed on; undefined is not an option", () => {
    const tls = { caFile: "ca.pem" };
    const { client, roundsMax } = planDial({ name: "n", pingInterval: 7, timeout: undefined, tls });
    expect(client).toMatchObject({ name: "n", pingInterval: 7, timeout: 3_000, tls });
    expect(planDial({ maxReconnectAttempts: 3 }).roundsMax).toBe(3);
    expect([roundsMax, planDial({ reconnect: false }).roundsMax]).toEqual([-1, 0]);
    expect(planDial({ port: 5 }).servers).toEqual(["127.0.0.1:5"]);
  });

  test.each<[NatsOptions["servers"], string[]]>([
    ["nats://h", ["h:4222"]],
    ["h:1, nats://i:2 ,", ["h:1", "i:2"]],
    [
      ["[::1]:5", "tls://10.0.0.1"],
      ["[::1]:5", "10.0.0.1:4222"],
    ],
    ["nats://ann:123@h:9", ["h:9"]],
  ])("servers %j", (servers, expected) => {
    expect(planDial({ servers }).servers).toEqual(expected);
  });

  test("credentials and tls in an address count, if the options name none", () => {
    const found = planDial({ servers: "nats://ann:p%40ss@h,nats://i" }).client;
    expect(found).toMatchObject({ user: "ann", pass: "p@ss" });
    expect(planDial({ servers: "tls://tok@h" }).client).toMatchObject({ token: "tok", tls: {} });
    const named = planDial({ servers: "nats://ann:x@h", user: "bob", pass: "y" }).client;
    expect(named).toMatchObject({ user: "bob", pass: "y" });
  });

  test("creds and nkey become authenticators that sign", () => {
    const sign = (options: NatsOptions) => {
      const { authenticator } = planDial(options).client;
      return [authenticator].flat().map((each) => each?.("nonce"));
    };
    const nkey = nkeys.fromSeed(new TextEncoder().encode(seed)).getPublicKey();
    expect(sign({ creds })).toMatchObject([{ jwt: "eyJ0.eyJq.c2ln", nkey }]);
    expect(sign({ nkey: ` ${seed}\n` })).toMatchObject([{ nkey, sig: expect.any(String) }]);
  });

  test.each<[NatsOptions, string]>([
    [{ servers: "http://ann:geheim@h" }, "bad_options"],
    [{ servers: "ws://ann:geheim@h" }, "bad_options"],
    [{ servers: "nats://ann:geheim@h:port" }, "bad_options"],
    [{ servers: "nats://ann:geheim@" }, "bad_options"],
    [{ servers: "nats://ann:geheim@h,nats://bob:geheim@i" }, "bad_options"],
    [{ creds: "geheim" }, "not_authorized"],
    [{ nkey: "geheim" }, "not_authorized"],
  ])("%j is refused without its secret", async (options, code) => {
    const error = await refusal(() => planDial(options));
    expect(error.code).toBe(code);
    expect(`${error.stack} ${JSON.stringify(error.cause)}`).not.toContain("geheim");
  });
});

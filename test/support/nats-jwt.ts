/** An operator, an account and a user of a NATS server, made here: what `nsc` makes for people. */
import { nkeys } from "nats";

type KeyPair = ReturnType<typeof nkeys.createUser>;

/** A user, and the server's configuration that knows no other. */
export interface JwtUser {
  /** Content of a `.creds` file. */
  readonly creds: string;
  readonly config: string;
}

/** Draws an operator with one account and one user. */
export function userOfNewOperator(): JwtUser {
  const [operator, account, user] = [
    nkeys.createOperator(),
    nkeys.createAccount(),
    nkeys.createUser(),
  ];
  const limits = { subs: -1, data: -1, payload: -1 };
  const accountLimits = { ...limits, imports: -1, exports: -1, wildcards: true };
  const connections = { conn: -1, leaf: -1 };
  const operatorJwt = sign(operator, operator, "operator", {});
  const accountJwt = sign(operator, account, "account", {
    limits: { ...accountLimits, ...connections },
  });
  const userJwt = sign(account, user, "user", limits);
  const preload = `{ ${account.getPublicKey()}: ${accountJwt} }`;
  return {
    config: `operator: ${operatorJwt}\nresolver: MEMORY\nresolver_preload: ${preload}\n`,
    creds:
      `-----BEGIN NATS USER JWT-----\n${userJwt}\n------END NATS USER JWT------\n\n` +
      `-----BEGIN USER NKEY SEED-----\n${text(user.getSeed())}\n------END USER NKEY SEED------\n`,
  };
}

function sign(issuer: KeyPair, subject: KeyPair, type: string, claims: object): string {
  const head = encode({ typ: "JWT", alg: "ed25519-nkey" });
  const body = encode({
    jti: subject.getPublicKey(),
    iat: Math.floor(Date.now() / 1000),
    iss: issuer.getPublicKey(),
    sub: subject.getPublicKey(),
    name: type,
    nats: { ...claims, type, version: 2 },
  });
  const signature = issuer.sign(new TextEncoder().encode(`${head}.${body}`));
  return `${head}.${body}.${Buffer.from(signature).toString("base64url")}`;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

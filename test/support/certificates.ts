/** A throw-away certificate authority and a server's certificate, made by openssl. */
import { execFile } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { guardFolder } from "./guard.js";

const run = promisify(execFile);

/** Paths of PEM files. */
export interface Certificates {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Makes a certificate for one DNS name or IP address, and the authority that signed it. */
export async function makeCertificates(name: string): Promise<Certificates> {
  const folder = await mkdtemp(join(tmpdir(), "synod-tls-"));
  guardFolder(folder);
  const at = (file: string) => join(folder, file);
  const [ca, caKey, cert, key] = [at("ca.pem"), at("ca.key"), at("cert.pem"), at("key.pem")];
  const newKey = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const openssl = (...args: string[]) => run("openssl", args, { cwd: folder });
  await openssl(...newKey, "-x509", "-days", "2", "-subj", "/CN=ca", "-keyout", caKey, "-out", ca);
  await openssl(...newKey, "-subj", `/CN=${name}`, "-keyout", key, "-out", at("request.pem"));
  await writeFile(at("ext"), `subjectAltName=${isIP(name) === 0 ? "DNS" : "IP"}:${name}\n`);
  const signing = ["-CA", ca, "-CAkey", caKey, "-CAcreateserial", "-days", "2"];
  await openssl(
    "x509",
    "-req",
    "-in",
    at("request.pem"),
    ...signing,
    "-extfile",
    at("ext"),
    "-out",
    cert,
  );
  return { ca, cert, key };
}

/** `npm run charts`: writes the generated files anew, from the root of the repository. */
import { readFileSync, writeFileSync } from "node:fs";
import { chartFiles, fillReadme } from "./files.js";

const README = "actors/README.md";
const text = fillReadme(
  readFileSync(README, "utf8"),
  readFileSync("src/paxos/wire/messages.ts", "utf8"),
);
for (const file of [...chartFiles(), { path: README, text }]) writeFileSync(file.path, file.text);

#!/usr/bin/env bash
# yaml 2.9.1 (npm), under `logLevel: "silent"`: a second document is not only unreported, it is not
# looked at. `parse` returns the first one, `parseDocument` has an empty list of errors, even where
# the second does not parse. Under every other level the same text ends with MULTIPLE_DOCS.
#
# Who is hit: a program that reads one configuration and collects `errors` itself, and is silent so
# that the library prints nothing. A file into which somebody pasted a second document is accepted.
#
# Seen on 2026-11-28 with Node.js 20.20.2:
#   error  MULTIPLE_DOCS
#   warn   MULTIPLE_DOCS
#   silent {"epoch":1} errors: 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund yaml@2.9.1

cat >seen.cjs <<'JS'
const { parse, parseDocument } = require("yaml");
const text = "epoch: 1\n---\nepoch: 2\nlimits: [\n";
for (const logLevel of ["error", "warn", "silent"]) {
  try {
    const value = JSON.stringify(parse(text, { logLevel }));
    console.log(logLevel.padEnd(6), value, `errors: ${parseDocument(text, { logLevel }).errors.length}`);
  } catch (error) {
    console.log(logLevel.padEnd(6), error.code);
  }
}
JS
diff <(node seen.cjs) - <<'SEEN'
error  MULTIPLE_DOCS
warn   MULTIPLE_DOCS
silent {"epoch":1} errors: 0
SEEN
echo "as stated"

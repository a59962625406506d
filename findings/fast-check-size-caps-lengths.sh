#!/usr/bin/env bash
# fast-check 4.10.2 (npm): `maxLength` alone does not make long arrays. The default size caps what is
# drawn at 10 elements, in 5000 draws, whatever `maxLength` says; `minLength: 100` gives at most 210
# of 1000. A property over "any bytes up to 1000" of a hash with blocks of 16 never sees one block.
# `size: "max"`, or `configureGlobal({ defaultSizeToMaxWhenMaxSpecified: true })`, reaches the bound.
#
# Who is hit: a second implementation, or a parser of blocks, that agrees with the first one on every
# input that is ever drawn.
#
# Seen on 2026-11-28 with Node.js 20.20.2, the longest of 5000 draws (seed 1):
#   array, maxLength 1000                  10
#   uint8Array, maxLength 1000             10
#   array, minLength 100, maxLength 1000   210
#   array, maxLength 1000, size max        1000
#   array, maxLength 1000, configured      1000
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund fast-check@4.10.2

cat >seen.cjs <<'JS'
const fc = require("fast-check");
const longest = (name, arbitrary) => {
  const lengths = fc.sample(arbitrary(), { numRuns: 5000, seed: 1 }).map(({ length }) => length);
  console.log(name.padEnd(38), Math.max(...lengths));
};
longest("array, maxLength 1000", () => fc.array(fc.nat(), { maxLength: 1000 }));
longest("uint8Array, maxLength 1000", () => fc.uint8Array({ maxLength: 1000 }));
longest("array, minLength 100, maxLength 1000", () =>
  fc.array(fc.nat(), { minLength: 100, maxLength: 1000 }));
longest("array, maxLength 1000, size max", () =>
  fc.array(fc.nat(), { maxLength: 1000, size: "max" }));
fc.configureGlobal({ defaultSizeToMaxWhenMaxSpecified: true });
longest("array, maxLength 1000, configured", () => fc.array(fc.nat(), { maxLength: 1000 }));
JS
diff <(node seen.cjs) - <<'SEEN'
array, maxLength 1000                  10
uint8Array, maxLength 1000             10
array, minLength 100, maxLength 1000   210
array, maxLength 1000, size max        1000
array, maxLength 1000, configured      1000
SEEN
echo "as stated"

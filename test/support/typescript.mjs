/**
 * Lets plain node run the TypeScript of this repository: `node --import …/typescript.mjs file.ts`.
 *
 * Why: processes that a test kills, traces or starves, and long runs that are no tests, run what is
 * in the tree, not what was built some time ago. Types are not checked here; `npm run check` does.
 * Plain JavaScript: it is what makes the rest run.
 */
import { readFileSync } from "node:fs";
import { register } from "node:module";
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";
import ts from "typescript";

if (isMainThread) register(import.meta.url);

/** Imports say `.js`, which is what the compiler would make. */
export async function resolve(specifier, context, next) {
  try {
    return await next(specifier, context);
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND" || !/^\..*\.js$/.test(specifier)) throw error;
    return next(specifier.replace(/js$/, "ts"), context);
  }
}

export async function load(url, context, next) {
  if (!/^file:.*\.ts$/.test(url)) return next(url, context);
  const { outputText } = ts.transpileModule(readFileSync(fileURLToPath(url), "utf8"), {
    compilerOptions: {
      module: ts.ModuleKind.ESNext,
      target: ts.ScriptTarget.ES2023,
      verbatimModuleSyntax: true,
      inlineSourceMap: true,
    },
    fileName: fileURLToPath(url),
  });
  return { format: "module", source: outputText, shortCircuit: true };
}

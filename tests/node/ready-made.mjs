/** Reads the page's ready-made queries out of web/src/queries.ts, their one home. */
import { readFileSync } from "node:fs";
import { parse } from "graphql";
import ts from "typescript";

const SOURCE = new URL("../../web/src/queries.ts", import.meta.url);

const { outputText } = ts.transpileModule(readFileSync(SOURCE, "utf8"), {
  compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
});
const { READY_MADE } = await import(`data:text/javascript,${encodeURIComponent(outputText)}`);

/** Each with the name of its operation, its document, its label and its variables. */
export function readyMadeQueries() {
  return READY_MADE.map(({ label, query, variables }) => {
    const [definition] = parse(query).definitions;
    return { name: definition.name.value, label, query: query.trim(), variables };
  });
}

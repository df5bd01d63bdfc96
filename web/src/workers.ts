/**
 * Tells the editor where its workers are: files of our own origin, so that the page
 * needs neither blob: workers nor another host.
 */
import type { Environment } from "monaco-editor";
import EditorWorker from "monaco-editor/esm/vs/editor/editor.worker.js?worker";
import JsonWorker from "monaco-editor/esm/vs/language/json/json.worker.js?worker";
import GraphQLWorker from "./graphql.worker?worker";

const environment: Environment = {
  getWorker(_id, label) {
    if (label === "json") return new JsonWorker();
    if (label === "graphql") return new GraphQLWorker();
    return new EditorWorker();
  },
};

// The editor looks for it under this name when it starts its first worker.
Object.assign(globalThis, { MonacoEnvironment: environment });

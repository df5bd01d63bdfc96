/** What the editor ships without types. */
declare module "monaco-editor/esm/vs/editor/editor.worker.js" {
  import type { worker } from "monaco-editor";

  /** Answers the editor with the worker that `create` makes. */
  export function initialize<Data>(create: (context: worker.IWorkerContext, data: Data) => object): void;
}

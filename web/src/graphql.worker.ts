/**
 * The editor's GraphQL worker, with one correction: its schema for the variables pane calls every
 * non-null input field required, also one with a default, and the pane then marks good variables.
 */
import { initialize } from "monaco-editor/esm/vs/editor/editor.worker.js";
import { GraphQLWorker } from "monaco-graphql/esm/GraphQLWorker.js";

/** What of a JSON schema matters here. */
interface ObjectSchema {
  readonly properties?: Readonly<Record<string, { readonly default?: unknown }>>;
  required?: readonly string[];
}

class VariablesWorker extends GraphQLWorker {
  override async doGetVariablesJSONSchema(uri: string): Promise<unknown> {
    const schema = await super.doGetVariablesJSONSchema(uri);
    const { definitions } = (schema ?? {}) as { definitions?: Record<string, ObjectSchema> };
    for (const definition of Object.values(definitions ?? {})) {
      definition.required = definition.required?.filter((name) => definition.properties?.[name]?.default === undefined);
    }
    return schema;
  }
}

// The editor's first message asks for the worker; `initialize` then takes the port over.
globalThis.onmessage = () => {
  initialize<ConstructorParameters<typeof GraphQLWorker>[1]>((context, data) => new VariablesWorker(context, data));
};

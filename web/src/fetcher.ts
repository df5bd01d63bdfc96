/**
 * Sends GraphiQL's operations to the API of the same origin. What comes back is shown
 * as it is; only what is no GraphQL answer at all is turned into one, so that the
 * result pane always says what happened.
 */
import type { Fetcher, FetcherParams, Observable } from "@graphiql/toolkit";
import { type ExecutionResult, Kind, parse } from "graphql";
import { apiKey } from "./key";

const ENDPOINT = "/graphql";

function headersFor(typed: Record<string, unknown>): Headers {
  const headers = new Headers({
    accept: "application/graphql-response+json, application/json;q=0.9",
    "content-type": "application/json",
    "x-client-name": "graphiql",
  });
  const key = apiKey();
  if (key !== "") headers.set("authorization", `Bearer ${key}`);
  // The headers pane wins: who types a header there means it.
  for (const [name, value] of Object.entries(typed)) headers.set(name, String(value));
  return headers;
}

function isResult(value: unknown): value is ExecutionResult {
  return typeof value === "object" && value !== null && ("data" in value || "errors" in value);
}

function failure(message: string): ExecutionResult {
  // Errors as plain data: this is shown, never thrown.
  return { errors: [{ message }] } as unknown as ExecutionResult;
}

/**
 * GraphiQL notices a little late which operation stands in the editor: who switches tabs and
 * runs at once would send the name of the tab before. With one operation there is no choice,
 * so its own name is sent.
 */
function withItsOwnName(params: FetcherParams): FetcherParams {
  try {
    const operations = parse(params.query).definitions.filter(
      (definition) => definition.kind === Kind.OPERATION_DEFINITION,
    );
    const [only, more] = operations;
    return only && !more ? { ...params, operationName: only.name?.value } : params;
  } catch {
    // No document: the server says where the mistake is.
    return { ...params, operationName: undefined };
  }
}

async function send(
  params: FetcherParams,
  typed: Record<string, unknown>,
  signal: AbortSignal,
): Promise<ExecutionResult> {
  const response = await fetch(ENDPOINT, {
    method: "POST",
    headers: headersFor(typed),
    body: JSON.stringify(withItsOwnName(params)),
    credentials: "same-origin",
    signal,
  });
  const text = await response.text();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (isResult(value)) return value;
  const status = `${response.status} ${response.statusText}`.trim();
  return failure(`The server answered ${status} without a GraphQL result: ${text.slice(0, 500)}`);
}

/**
 * An observable rather than a promise: GraphiQL's stop button then closes the
 * connection, by which the server knows that nobody waits any more.
 */
export const fetcher: Fetcher = (params, options) => {
  const observable: Observable<ExecutionResult> = {
    subscribe(...args: unknown[]) {
      const observer = toObserver(args);
      const controller = new AbortController();
      send(params, options?.headers ?? {}, controller.signal)
        .catch((error: unknown) =>
          failure(`No answer: ${error instanceof Error ? error.message : String(error)}`),
        )
        .then((result) => {
          if (controller.signal.aborted) return;
          observer.next(result);
          observer.complete();
        })
        .catch(observer.error);
      return { unsubscribe: () => controller.abort() };
    },
  };
  return observable;
};

interface Observer {
  next(value: ExecutionResult): void;
  error(error: unknown): void;
  complete(): void;
}

/** GraphiQL subscribes both with one observer and with separate functions. */
function toObserver(args: unknown[]): Observer {
  const nothing = (): void => undefined;
  const [first, second, third] = args;
  if (typeof first === "object" && first !== null) return first as Observer;
  return {
    next: (first as Observer["next"] | undefined) ?? nothing,
    error: (second as Observer["error"] | null | undefined) ?? nothing,
    complete: (third as Observer["complete"] | undefined) ?? nothing,
  };
}

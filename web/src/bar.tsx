/** The bar above GraphiQL: name, ready-made queries, state of the schema, key field. */
import { useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { type ChangeEvent, type KeyboardEvent, useState } from "react";
import logo from "./favicon.svg";
import { apiKey, isKeyKept, keepKey, setApiKey } from "./key";
import { READY_MADE } from "./queries";
import { asTab } from "./tabs";

export function Bar() {
  return (
    <header className="bar">
      <a className="bar-name" href="/">
        <img src={logo} alt="" width="22" height="22" />
        <span>Actiongraph</span>
      </a>
      <ReadyMadeList />
      <span className="bar-space" />
      <SchemaState />
      <a className="bar-link" href="/schema.graphql" target="_blank" rel="noreferrer">
        Schema (SDL)
      </a>
      <KeyField />
    </header>
  );
}

/** Opens a ready-made query: in its tab when that is still unchanged, else in a new one. */
function ReadyMadeList() {
  const { addTab, changeTab } = useGraphiQLActions();
  const tabs = useGraphiQL((state) => state.tabs);
  const queryEditor = useGraphiQL((state) => state.queryEditor);
  const variableEditor = useGraphiQL((state) => state.variableEditor);

  function open(event: ChangeEvent<HTMLSelectElement>): void {
    const chosen = READY_MADE[Number(event.target.value)];
    event.target.value = "";
    if (!chosen) return;
    const tab = asTab(chosen);
    const index = tabs.findIndex(({ query }) => query === tab.query);
    if (index >= 0) {
      changeTab(index);
      return;
    }
    addTab();
    queryEditor?.setValue(tab.query);
    variableEditor?.setValue(tab.variables);
  }

  return (
    <select className="bar-list" aria-label="Ready-made queries" value="" onChange={open}>
      <option value="" disabled hidden>
        Ready-made queries
      </option>
      {READY_MADE.map(({ label }, index) => (
        <option key={label} value={index}>
          {label}
        </option>
      ))}
    </select>
  );
}

/** Says in words whether the schema is there: without it nothing completes or checks. */
function SchemaState() {
  const schema = useGraphiQL((state) => state.schema);
  const busy = useGraphiQL((state) => state.isIntrospecting);
  const error = useGraphiQL((state) => state.fetchError);
  const [kind, text] = busy
    ? ["busy", "Reading schema…"]
    : error
      ? ["bad", apiKey() === "" ? "No schema: enter an API key" : "No schema: see the result pane"]
      : schema
        ? ["good", "Schema loaded"]
        : ["busy", "No schema yet"];
  return (
    <span className={`bar-state bar-state-${kind}`} role="status">
      {text}
    </span>
  );
}

/** Takes the API key; the schema is read again with it on Enter or on leaving the field. */
function KeyField() {
  const { introspect } = useGraphiQLActions();
  const [value, setValue] = useState(apiKey);
  const [used, setUsed] = useState(apiKey);
  const [shown, setShown] = useState(false);
  const [kept, setKept] = useState(isKeyKept);

  function change(event: ChangeEvent<HTMLInputElement>): void {
    // At once, so that a query run from the editor right after typing already has it.
    setApiKey(event.target.value);
    setValue(event.target.value);
  }

  function commit(): void {
    if (apiKey() === used) return;
    setUsed(apiKey());
    void introspect();
  }

  function toggleKept(): void {
    keepKey(!kept);
    setKept(!kept);
  }

  function onKeyDown(event: KeyboardEvent): void {
    if (event.key === "Enter") commit();
  }

  return (
    <span className="bar-key">
      <input
        type={shown ? "text" : "password"}
        aria-label="API key"
        title="Sent as Authorization: Bearer. Gone with a reload, unless you keep it."
        placeholder="API key"
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        value={value}
        onChange={change}
        onBlur={commit}
        onKeyDown={onKeyDown}
      />
      <button type="button" aria-pressed={shown} aria-label="Show API key" onClick={() => setShown(!shown)}>
        {shown ? "Hide" : "Show"}
      </button>
      <button
        type="button"
        aria-pressed={kept}
        aria-label="Keep API key in this tab"
        title="Lets the key survive a reload; it is gone when the tab is closed."
        onClick={toggleKept}
      >
        {kept ? "Kept" : "Keep"}
      </button>
    </span>
  );
}

/** The page: a bar of our own above GraphiQL. */
import "./workers";
import "@graphiql/react/style.css";
import "@graphiql/plugin-doc-explorer/style.css";
import "@graphiql/plugin-history/style.css";
import "@graphiql/plugin-explorer/style.css";
import "graphiql/graphiql.css";
import "./fonts.css";
import "./style.css";
import { DOC_EXPLORER_PLUGIN, DocExplorerStore } from "@graphiql/plugin-doc-explorer";
import { explorerPlugin } from "@graphiql/plugin-explorer";
import { HISTORY_PLUGIN, HistoryStore } from "@graphiql/plugin-history";
import { GraphiQLProvider } from "@graphiql/react";
import { GraphiQL, GraphiQLInterface } from "graphiql";
import { createRoot } from "react-dom/client";
import { Bar } from "./bar";
import { fetcher } from "./fetcher";
import { READY_MADE } from "./queries";
import { asTab, frontTab } from "./tabs";

// One list for the life of the page: GraphiQL compares plug-ins by identity.
const PLUGINS = [DOC_EXPLORER_PLUGIN, explorerPlugin({ showAttribution: false }), HISTORY_PLUGIN];

const TABS = READY_MADE.map(asTab);
const FRONT = frontTab(TABS[0]);

function Page() {
  return (
    <GraphiQLProvider
      fetcher={fetcher}
      plugins={PLUGINS}
      referencePlugin={DOC_EXPLORER_PLUGIN}
      defaultTabs={TABS}
      initialQuery={FRONT?.query}
      initialVariables={FRONT?.variables}
      inputValueDeprecation
      schemaDescription
    >
      <HistoryStore>
        <DocExplorerStore>
          <Bar />
          <GraphiQLInterface defaultEditorToolsVisibility="variables" showPersistHeadersSettings={false}>
            {/* The name stands in the bar; GraphiQL's own place for it stays empty. */}
            <GraphiQL.Logo>
              <span hidden />
            </GraphiQL.Logo>
          </GraphiQLInterface>
        </DocExplorerStore>
      </HistoryStore>
    </GraphiQLProvider>
  );
}

const root = document.getElementById("root");
if (root) createRoot(root).render(<Page />);

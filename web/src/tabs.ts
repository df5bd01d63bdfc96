/** Ready-made queries as GraphiQL's tabs. */
import type { ReadyMade } from "./queries";

/** What GraphiQL needs to open a tab. */
export interface Tab {
  readonly query: string;
  readonly variables: string;
  readonly headers: null;
}

/** One variable a line: a range then takes one line instead of six. */
function layOut(variables: ReadyMade["variables"]): string {
  const lines = Object.entries(variables).map(([name, value]) => {
    const text = JSON.stringify(value, null, 1).replace(/\n\s*/g, " ");
    return `  ${JSON.stringify(name)}: ${text}`;
  });
  return lines.length === 0 ? "{}" : `{\n${lines.join(",\n")}\n}`;
}

/** The tab that a ready-made query opens. */
export function asTab(readyMade: ReadyMade): Tab {
  return {
    query: `${readyMade.query.trim()}\n`,
    variables: layOut(readyMade.variables),
    headers: null,
  };
}

/**
 * The tab in front when the page opens: the one this browser left open, else `first`.
 * GraphiQL keeps tabs and the front tab's texts apart and adds a tab when they disagree;
 * given the texts of the stored front tab, they agree.
 */
export function frontTab(first: Tab | undefined): Pick<Tab, "query" | "variables"> | undefined {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem("graphiql:tabState") ?? "null");
    const { tabs, activeTabIndex } = stored as { tabs: Partial<Tab>[]; activeTabIndex: number };
    const active = tabs[activeTabIndex];
    if (active) return { query: active.query ?? "", variables: active.variables ?? "" };
  } catch {
    // Nothing stored, nothing readable, or no storage at all.
  }
  return first;
}

/**
 * The API key typed into the page. It lives in this tab only: sessionStorage lets it
 * survive a reload and is gone with the tab; it is never written to localStorage,
 * a cookie or an address.
 */
const SLOT = "actiongraph:key";

let current = read();

function read(): string {
  try {
    return sessionStorage.getItem(SLOT) ?? "";
  } catch {
    // Storage is switched off: the key then lives in memory only.
    return "";
  }
}

/** The key in use, or an empty string when there is none. */
export function apiKey(): string {
  return current;
}

/** Takes a new key; surrounding blanks, which pasting brings, are dropped. */
export function setApiKey(value: string): void {
  current = value.trim();
  try {
    if (current === "") sessionStorage.removeItem(SLOT);
    else sessionStorage.setItem(SLOT, current);
  } catch {
    // As above: memory is enough.
  }
}

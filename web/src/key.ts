/**
 * The API key typed into the page. It lives in memory and is gone with the page, unless who
 * typed it asks for more: then sessionStorage lets it survive a reload, and it is gone with
 * the tab. It is never written to localStorage, a cookie or an address.
 */
const SLOT = "actiongraph:key";

let current = read();
let kept = current !== "";

function read(): string {
  try {
    return sessionStorage.getItem(SLOT) ?? "";
  } catch {
    // Storage is switched off: the key then lives in memory only.
    return "";
  }
}

function write(): void {
  try {
    if (kept && current !== "") sessionStorage.setItem(SLOT, current);
    else sessionStorage.removeItem(SLOT);
  } catch {
    // As above: memory is enough.
  }
}

/** The key in use, or an empty string when there is none. */
export function apiKey(): string {
  return current;
}

/** Takes a new key; surrounding blanks, which pasting brings, are dropped. */
export function setApiKey(value: string): void {
  current = value.trim();
  write();
}

/** Whether the key survives a reload of this tab. */
export function isKeyKept(): boolean {
  return kept;
}

/** Keeps the key in this tab, or forgets what was kept; in memory it stays. */
export function keepKey(keep: boolean): void {
  kept = keep;
  write();
}

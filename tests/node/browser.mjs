/**
 * A headless Chromium that can reach one host only, for the tests and the picture of GraphiQL.
 * It records what the page asked other hosts for, what the policy refused and what the console said.
 */
import { chromium } from "playwright-core";

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Starts Debian's Chromium, or the one that CHROMIUM names. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    headless: true,
    args: ARGUMENTS,
  });
}

/**
 * Opens a page of its own (own storage) whose requests to other hosts are refused and recorded.
 * Answers { page, trouble, foreign, operations, close }: `trouble` collects console errors and
 * warnings, uncaught exceptions and policy violations; `foreign` the refused addresses;
 * `operations` the GraphQL requests with their headers.
 */
export async function openPage(browser, baseUrl, options = {}) {
  const origin = new URL(baseUrl).origin;
  const trouble = [];
  const foreign = [];
  const operations = [];
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    ...options,
  });
  await context.route(
    () => true,
    async (route) => {
      const url = route.request().url();
      if (new URL(url).origin === origin || url.startsWith("data:") || url.startsWith("blob:")) {
        await route.continue();
      } else {
        foreign.push(url);
        await route.abort("blockedbyclient");
      }
    },
  );
  await context.routeWebSocket(
    (url) => url.host !== new URL(origin).host,
    (socket) => {
      foreign.push(socket.url());
      socket.close();
    },
  );
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      console.error(`policy violation: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
    });
  });
  const page = await context.newPage();
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") {
      trouble.push(`${message.type()}: ${message.text()} (${message.location().url})`);
    }
  });
  page.on("pageerror", (error) => trouble.push(`exception: ${error.stack ?? error.message}`));
  page.on("request", (request) => {
    if (new URL(request.url()).pathname === "/graphql") {
      operations.push({ headers: request.headers(), body: request.postDataJSON() });
    }
  });
  return { page, trouble, foreign, operations, close: () => context.close() };
}

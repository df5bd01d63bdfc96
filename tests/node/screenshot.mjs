/**
 * Takes the README's picture of GraphiQL from a running server:
 *
 *   node tests/node/screenshot.mjs http://127.0.0.1:8080 docs/graphiql.png [light|dark] [API key]
 *
 * The first tab (Morning) is run and the docs pane stays closed, so that the picture shows a
 * question and its answer.
 */
import { launch, openPage } from "./browser.mjs";

const [url, output, theme = "light", key = process.env.ACTIONGRAPH_KEY ?? ""] = process.argv.slice(2);
if (!url || !output) {
  process.stderr.write("usage: node screenshot.mjs URL OUTPUT.png [light|dark] [API key]\n");
  process.exit(2);
}

const browser = await launch();
try {
  const { page } = await openPage(browser, url, {
    colorScheme: theme,
    deviceScaleFactor: 1.5,
    viewport: { width: 1440, height: 900 },
  });
  await page.goto(new URL("/graphiql", url).href);
  if (key) {
    await page.getByLabel("API key", { exact: true }).fill(key);
    await page.getByLabel("API key", { exact: true }).press("Enter");
  }
  await page.getByText("Schema loaded").waitFor();
  // Before the editors are there, the button runs nothing.
  await page.locator(".graphiql-query-editor .view-line").first().waitFor();
  await page.locator(".result-window .monaco-editor").waitFor();
  const answered = page.waitForResponse((response) => new URL(response.url()).pathname === "/graphql");
  await page.getByRole("button", { name: /Execute query/ }).click();
  await answered;
  await page.locator(".result-window .view-line").nth(20).waitFor();
  // The pointer and its tooltip would cover the answer.
  await page.mouse.move(700, 20);
  await page.locator("[data-radix-popper-content-wrapper]").waitFor({ state: "detached" });
  await page.evaluate(() => document.fonts.ready);
  // Colours come a moment after the text, from the top of each pane to its end.
  await page.waitForFunction(() =>
    [".graphiql-query-editor", ".result-window"].every((pane) => {
      const lines = [...document.querySelectorAll(`${pane} .view-line`)];
      const colours = lines.flatMap((line) => [...line.querySelectorAll("span[class*=mtk]")].map((span) => span.className));
      const plain = lines.filter((line) => /\w+.*:/.test(line.textContent) && line.querySelectorAll("span[class*=mtk]").length < 3);
      return new Set(colours).size >= 4 && plain.length === 0;
    }),
  );
  await page.screenshot({ path: output });
} finally {
  await browser.close();
}

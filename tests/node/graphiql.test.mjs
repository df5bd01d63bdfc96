/**
 * GraphiQL as a person meets it, in headless Chromium with every other host blocked.
 *
 *   ACTIONGRAPH_URL=http://127.0.0.1:8080 [ACTIONGRAPH_KEY=ag_…] node --test tests/node/graphiql.test.mjs
 *
 * Every test ends by asserting that nothing left the host and that neither the policy nor the
 * console complained.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, openPage } from "./browser.mjs";
import { readyMadeQueries } from "./ready-made.mjs";

const URL_BASE = process.env.ACTIONGRAPH_URL;
const KEY = process.env.ACTIONGRAPH_KEY ?? "";
const READY_MADE = readyMadeQueries();

let browser;

before(async () => {
  assert.ok(URL_BASE, "ACTIONGRAPH_URL must name a running server");
  browser = await launch();
});

after(() => browser?.close());

const keyField = (page) => page.getByLabel("API key", { exact: true });
const keepButton = (page) => page.getByRole("button", { name: "Keep API key in this tab", exact: true });
const tab = (page, name) =>
  page.getByRole("tab").filter({ has: page.getByRole("button", { name, exact: true }) });
const openTab = (page, name) => tab(page, name).getByRole("button", { name, exact: true }).click();

/**
 * The result pane's text as shown, in the order of its lines. Without blanks: the pane breaks
 * long lines and indents what it broke.
 */
async function shownResult(page) {
  const lines = await page.locator(".result-window .view-line").evaluateAll((elements) =>
    elements
      .map((element) => ({ top: element.getBoundingClientRect().top, text: element.textContent }))
      .sort((left, right) => left.top - right.top)
      .map(({ text }) => text),
  );
  return withoutBlanks(lines.join(""));
}

const withoutBlanks = (text) => text.replace(/\s+/g, "");

/** Waits until the result pane shows what `expected`, a pattern or an answer, says. */
async function assertShown(page, expected) {
  const agrees = (text) =>
    expected instanceof RegExp ? expected.test(text) : text === withoutBlanks(JSON.stringify(expected));
  const deadline = Date.now() + 10_000;
  for (;;) {
    const text = await shownResult(page);
    if (agrees(text)) return;
    if (Date.now() > deadline) assert.fail(`the result pane shows ${text}`);
    await page.evaluate(() => new Promise(requestAnimationFrame));
  }
}

/** Presses the run button and returns the answer as it came over the wire. */
async function run(page) {
  const answered = page.waitForResponse((response) => new URL(response.url()).pathname === "/graphql");
  await page.getByRole("button", { name: /Execute query/ }).click();
  return (await answered).json();
}

/** Replaces the operation by typing, as a person would. */
async function typeQuery(page, text) {
  await page.locator(".graphiql-query-editor .monaco-editor").click();
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.press("Delete");
  await page.keyboard.type(text, { delay: 5 });
  await page.keyboard.press("Escape");
}

/** The page is ready when the schema is there and both editors are. */
async function ready(page) {
  await page.getByText("Schema loaded").waitFor();
  await page.locator(".graphiql-query-editor .monaco-editor").waitFor();
  await page.locator(".result-window .monaco-editor").waitFor();
}

/** Opens /graphiql with the schema loaded, runs `body`, then looks for anything untoward. */
async function withGraphiql(body, options = {}) {
  const opened = await openPage(browser, URL_BASE, options);
  try {
    if (KEY) {
      // As after a reload: the key was kept in this tab.
      await opened.page.addInitScript((value) => sessionStorage.setItem("actiongraph:key", value), KEY);
    }
    const response = await opened.page.goto(new URL("/graphiql", URL_BASE).href);
    await ready(opened.page);
    await body(opened.page, { ...opened, response });
    assert.deepEqual(opened.foreign, [], "the page asked another host");
    assert.deepEqual(opened.trouble, [], "the console or the policy complained");
  } finally {
    await opened.close();
  }
}

test("the page is ours, and its policy allows neither inline scripts nor other hosts", async () => {
  await withGraphiql(async (page, { response }) => {
    assert.equal(response.status(), 200);
    assert.equal(await page.title(), "Actiongraph – GraphiQL");
    const policy = response.headers()["content-security-policy"];
    assert.ok(policy, "no content security policy");
    const directives = new Map(
      policy.split(";").map((part) => {
        const [name, ...values] = part.trim().split(/\s+/);
        return [name, values];
      }),
    );
    assert.deepEqual(directives.get("script-src"), ["'self'"]);
    assert.deepEqual(directives.get("connect-src"), ["'self'"]);
    assert.deepEqual(directives.get("frame-ancestors"), ["'none'"]);
    assert.doesNotMatch(policy, /unsafe-eval|https?:|\*/);
    const icon = await page.locator("link[rel=icon]").getAttribute("href");
    const iconResponse = await page.request.get(new URL(icon, URL_BASE).href);
    assert.equal(iconResponse.status(), 200);
    assert.match(iconResponse.headers()["content-type"], /image\/svg\+xml/);
  });
});

test("a typed query runs and its answer is read back from the result pane", async () => {
  await withGraphiql(async (page) => {
    await page.getByRole("button", { name: "New tab" }).click();
    await typeQuery(page, "query Typed { programs { nodes { name } } }");
    await tab(page, "Typed").waitFor();
    const answer = await run(page);
    assert.equal(answer.errors, undefined);
    assert.ok(answer.data.programs.nodes.length > 0, "the server knows no program");
    await assertShown(page, answer);
  });
});

test("a mistake in a query is shown as the server's error", async () => {
  await withGraphiql(async (page, opened) => {
    await page.getByRole("button", { name: "New tab" }).click();
    await typeQuery(page, "{ noSuchField }");
    const answer = await run(page);
    assert.equal(answer.data, undefined);
    assert.match(answer.errors[0].message, /noSuchField/);
    await assertShown(page, answer);
    // Chromium reports the refused request; nothing else may be there.
    assert.ok(opened.trouble.every((line) => /status of 400/.test(line)), opened.trouble.join("\n"));
    opened.trouble.length = 0;
  });
});

/** What of an answer's root holds nothing: null, an empty list or a page without rows. */
const bare = (data) =>
  Object.entries(data)
    .filter(([, value]) => value === null || (Array.isArray(value) ? value : (value.nodes ?? [value])).length === 0)
    .map(([field]) => field);

/** Replaces the variables, as a person would who pastes them. */
async function giveVariables(page, variables) {
  await page.locator(".graphiql-editor-tool .monaco-editor").first().click();
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.press("Delete");
  await page.keyboard.insertText(JSON.stringify(variables));
  await page.keyboard.press("Escape");
}

/** The data of an operation that no tab asks. */
async function ask(page, query, variables = {}) {
  const headers = KEY ? { authorization: `Bearer ${KEY}` } : {};
  const response = await page.request.post(new URL("/graphql", URL_BASE).href, { data: { query, variables }, headers });
  const answer = await response.json();
  assert.equal(answer.errors, undefined, JSON.stringify(answer.errors));
  return answer.data;
}

/** What a person puts into the variables of a tab first: a name that is free, or the id of the segment that was made. */
const GIVEN = {
  DefineSegment: ({ name }) => ({ name }),
  UseSegments: ({ id }) => ({ segment: { in: [id] } }),
  SegmentLinks: ({ id }) => ({ segment: { in: [id] } }),
  FreezeSegment: ({ id }) => ({ id }),
};

const assertLinks = (products) => {
  for (const { affiliateLink } of products) assert.match(affiliateLink.url ?? affiliateLink.explanation, /^https:\/\//);
};

/** What an answer has to say beside having rows. */
const SAYS = {
  PreviewSegment({ previewSegment: { size, problems, sample } }) {
    assert.deepEqual(problems, []);
    assert.ok(size > 0, "nobody would be in the segment");
    assert.ok(sample.length > 0);
  },
  DefineSegment({ createSegment: { segment } }, made) {
    assert.equal(segment.name, made.name);
    assert.ok(segment.size > 0, "nobody is in the segment");
    made.id = segment.id;
    made.size = segment.size;
  },
  UseSegments({ actions }) {
    assert.ok(actions.totals.count > 0);
  },
  SegmentLinks({ topSellingProducts }) {
    assertLinks(topSellingProducts.nodes.map(({ product }) => product));
  },
  FreezeSegment({ freezeSegment: { segment } }, { name, size }) {
    assert.equal(segment.state, "FROZEN");
    assert.equal(segment.frozenFrom.name, name);
    assert.equal(segment.size, size);
  },
  PriorityProducts({ products }) {
    assertLinks(products.nodes);
  },
};

/** What may have no rows: all products of the demo are known. */
const MAY_BE_BARE = new Set(["PriorityProducts.awaitedProducts"]);

test("the ready-made queries are open in tabs and each of them brings rows without an error", async () => {
  await withGraphiql(async (page) => {
    const names = READY_MADE.map(({ name }) => name);
    assert.equal(names[0], "Morning");
    for (const name of [...Object.keys(GIVEN), ...Object.keys(SAYS)]) assert.ok(names.includes(name), `no tab ${name}`);
    assert.deepEqual(await page.getByRole("tab").allInnerTexts(), names);
    // The demo's list is empty at first.
    const { products } = await ask(page, "{ products(first: 1) { nodes { id } } }");
    const list = "mutation($ids: [ID!]) { done: addPriorityProducts(products: {ids: $ids}) { userErrors { message } } }";
    const { done } = await ask(page, list, { ids: [products.nodes[0].id] });
    assert.deepEqual(done.userErrors, []);
    // A name that no earlier run took.
    const made = { name: `Quiet buyers ${Date.now()}` };
    for (const { name, variables } of READY_MADE) {
      await openTab(page, name);
      const given = { ...variables, ...GIVEN[name]?.(made) };
      if (GIVEN[name]) await giveVariables(page, given);
      const asked = page.waitForRequest((request) => new URL(request.url()).pathname === "/graphql");
      const answer = await run(page);
      const body = (await asked).postDataJSON();
      assert.equal(body.operationName, name);
      assert.deepEqual(body.variables ?? {}, given, `${name}: variables as shown in the pane`);
      assert.equal(answer.errors, undefined, `${name}: ${JSON.stringify(answer.errors)}`);
      const empty = bare(answer.data).filter((field) => !MAY_BE_BARE.has(`${name}.${field}`));
      assert.deepEqual(empty, [], `${name}: nothing to see`);
      for (const [field, value] of Object.entries(answer.data)) {
        assert.deepEqual(value.userErrors ?? [], [], `${name}: ${field} refused`);
      }
      SAYS[name]?.(answer.data, made);
    }
  });
});

test("the Morning tab answers all four questions", async () => {
  await withGraphiql(async (page) => {
    const answer = await run(page);
    assert.equal(answer.errors, undefined, JSON.stringify(answer.errors));
    const { actions, productSegments, topSellingCategories, userSegments } = answer.data;
    assert.ok(actions.totals.count > 0 && actions.nodes.length > 0);
    assert.ok(actions.nodes.every((node) => node.status === "APPROVED"));
    assert.ok(productSegments.nodes.length > 0);
    assert.ok(topSellingCategories.nodes.length > 0);
    assert.ok(userSegments.nodes.length > 0);
    await assertShown(page, /^\{"data":\{"actions":\{"totals":\{"count":\d+,/);
  });
});

test("the variables pane marks what is wrong, and nothing that has a default", async () => {
  await withGraphiql(async (page) => {
    // Morning's range is `last` without `wholeUnits`, which has a default.
    const pane = page.locator(".graphiql-editor-tool .monaco-editor").first();
    const line = pane.locator(".view-line").nth(1);
    const assertMarks = async (count) => {
      const marks = pane.locator(".squiggly-error, .squiggly-warning");
      const deadline = Date.now() + 10_000;
      while ((await marks.count()) !== count) {
        if (Date.now() > deadline) assert.equal(await marks.count(), count, await line.innerText());
        await page.evaluate(() => new Promise(requestAnimationFrame));
      }
    };
    await line.click();
    await page.keyboard.press("End");
    const behind = '" } }';
    for (let step = 0; step < behind.length; step += 1) await page.keyboard.press("ArrowLeft");
    await page.keyboard.type("S");
    await page.keyboard.press("Escape");
    await line.filter({ hasText: /"DAYS"/ }).waitFor();
    await assertMarks(1);
    // The mark goes with its cause; one on `last` would stay.
    await page.keyboard.press("Backspace");
    await page.keyboard.press("Escape");
    await line.filter({ hasText: /"DAY"/ }).waitFor();
    await assertMarks(0);
    const answer = await run(page);
    assert.equal(answer.errors, undefined, JSON.stringify(answer.errors));
  });
});

test("the list of ready-made queries brings one back after its tab was changed", async () => {
  await withGraphiql(async (page) => {
    await typeQuery(page, "query Mine { __typename }");
    await tab(page, "Mine").waitFor();
    const list = page.getByLabel("Ready-made queries");
    const label = await list.locator("option").nth(1).innerText();
    await list.selectOption({ label });
    await tab(page, "Morning").waitFor();
    assert.equal(await page.getByRole("tab").count(), READY_MADE.length + 1);
    assert.equal((await run(page)).errors, undefined);
    // Chosen again it is found, not opened twice.
    await openTab(page, "Mine");
    await list.selectOption({ label });
    assert.equal(await page.getByRole("tab").count(), READY_MADE.length + 1);
    assert.equal(await tab(page, "Morning").getAttribute("aria-selected"), "true");
  });
});

test("tabs survive a reload", async () => {
  await withGraphiql(async (page) => {
    await typeQuery(page, "query Kept { __typename }");
    await tab(page, "Kept").waitFor();
    await page.waitForFunction(() => localStorage.getItem("graphiql:tabState")?.includes("query Kept"));
    await page.reload();
    await ready(page);
    await tab(page, "Kept").waitFor();
    assert.equal(await page.getByRole("tab").count(), READY_MADE.length);
    assert.equal(await tab(page, "Kept").getAttribute("aria-selected"), "true");
    assert.deepEqual((await run(page)).data, { __typename: "Query" });
  });
});

test("the docs pane describes the schema", async () => {
  await withGraphiql(async (page) => {
    await page.getByRole("button", { name: "Show Documentation Explorer" }).click();
    const docs = page.getByRole("region", { name: "Documentation Explorer" });
    await docs.getByText("Root Types").waitFor();
    await docs.getByRole("link", { name: "Query", exact: true }).first().click();
    await docs.getByRole("link", { name: "topSellingCategories", exact: true }).click();
    await docs.getByText("Arguments").waitFor();
    assert.match(await docs.innerText(), /range/);
  });
});

test("the explorer builds a query by clicks", async () => {
  await withGraphiql(async (page) => {
    await page.getByRole("button", { name: "New tab" }).click();
    await page.getByRole("button", { name: "Show GraphiQL Explorer" }).click();
    const explorer = page.locator(".graphiql-explorer-root");
    await explorer.locator('[data-field-name="programs"]').click();
    const programs = page.locator(".graphiql-explorer-programs");
    await programs.locator('[data-field-name="nodes"]').click();
    await programs.locator('[data-field-name="name"]').first().click();
    await page.waitForFunction(() =>
      /programs.*nodes.*name/s.test(document.querySelector(".graphiql-query-editor .view-lines")?.textContent ?? ""),
    );
    const answer = await run(page);
    assert.equal(answer.errors, undefined);
    assert.ok(answer.data.programs.nodes.every((program) => typeof program.name === "string"));
  });
});

test("the key typed into the field is sent, and written nowhere unless it is kept in this tab", async () => {
  const typed = KEY || "ag_typed_in_a_test";
  await withGraphiql(async (page, opened) => {
    const { operations } = opened;
    const lasting = () => page.evaluate(() => JSON.stringify(Object.entries(localStorage)) + document.cookie);
    const ofTab = () => page.evaluate(() => JSON.stringify(Object.entries(sessionStorage)));
    if (KEY) {
      assert.equal(await keepButton(page).getAttribute("aria-pressed"), "true");
      await keepButton(page).click();
    } else {
      assert.ok(operations.length > 0);
      assert.ok(operations.every(({ headers }) => headers.authorization === undefined));
    }
    operations.length = 0;
    await keyField(page).fill(`  ${typed} `);
    await page.getByRole("button", { name: "New tab" }).click();
    await typeQuery(page, "{ __typename }");
    const answer = await run(page);
    assert.ok(operations.length > 0);
    for (const { headers } of operations) assert.equal(headers.authorization, `Bearer ${typed}`);
    if (KEY) assert.deepEqual(answer.data, { __typename: "Query" });
    assert.equal(await keepButton(page).getAttribute("aria-pressed"), "false");
    assert.ok(!(await ofTab()).includes(typed), "the key was written and nobody had asked for it");
    await keepButton(page).click();
    assert.equal(await keepButton(page).getAttribute("aria-pressed"), "true");
    assert.ok((await ofTab()).includes(typed), "the key is not kept");
    assert.ok(!(await lasting()).includes(typed), "the key was written where it outlives the tab");
    assert.ok(!page.url().includes(typed));
    await keepButton(page).click();
    assert.ok(!(await ofTab()).includes(typed), "the key is still kept");
    assert.equal((await keyField(page).inputValue()).trim(), typed);

    operations.length = 0;
    await keyField(page).fill("");
    await run(page);
    assert.ok(operations.length > 0);
    for (const { headers } of operations) assert.equal(headers.authorization, undefined);
    // A server may refuse the made-up key or the missing one; Chromium then reports that.
    assert.ok(opened.trouble.every((line) => /status of 401/.test(line)), opened.trouble.join("\n"));
    opened.trouble.length = 0;
  });
});

test("without a key, where one is needed, the page says so and takes one", async () => {
  // Played here, so that it holds for `demo` too, which lets callers of this machine in.
  const opened = await openPage(browser, URL_BASE);
  const { page } = opened;
  const refusal = {
    errors: [{ message: "An API key is needed.", extensions: { code: "UNAUTHENTICATED" } }],
  };
  try {
    await page.route("**/graphql", async (route) => {
      if (route.request().headers().authorization === "Bearer ag_good") {
        const headers = { ...route.request().headers() };
        if (KEY) headers.authorization = `Bearer ${KEY}`;
        else delete headers.authorization;
        await route.continue({ headers });
        return;
      }
      await route.fulfill({
        status: 401,
        headers: { "www-authenticate": "Bearer" },
        contentType: "application/json",
        body: JSON.stringify(refusal),
      });
    });
    await page.goto(new URL("/graphiql", URL_BASE).href);
    await page.getByText("No schema: enter an API key").waitFor();
    await assertShown(page, refusal);
    assert.ok(await keyField(page).isVisible());
    assert.equal(await page.getByRole("tab").count(), READY_MADE.length);
    await keyField(page).fill("ag_good");
    await keyField(page).press("Enter");
    await page.getByText("Schema loaded").waitFor();
    await page.reload();
    await page.getByText("No schema: enter an API key").waitFor();
    assert.equal(await keyField(page).inputValue(), "");
    await keyField(page).fill("ag_good");
    await keepButton(page).click();
    await page.getByText("Schema loaded").waitFor();
    await page.reload();
    await page.getByText("Schema loaded").waitFor();
    assert.equal(await keyField(page).inputValue(), "ag_good");
    assert.deepEqual(opened.foreign, []);
    assert.ok(opened.trouble.length > 0);
    assert.ok(opened.trouble.every((line) => /status of 401/.test(line)), opened.trouble.join("\n"));
  } finally {
    await opened.close();
  }
});

test("an answer that is no GraphQL result is shown in words", async () => {
  await withGraphiql(async (page, opened) => {
    await page.route("**/graphql", (route) =>
      route.fulfill({ status: 502, contentType: "text/html", body: "<h1>Bad gateway</h1>" }),
    );
    await page.getByRole("button", { name: /Execute query/ }).click();
    await assertShown(page, /answered502.*Badgateway/);
    await page.unroute("**/graphql");
    await page.route("**/graphql", (route) => route.abort("connectionrefused"));
    await page.getByRole("button", { name: /Execute query/ }).click();
    await assertShown(page, /Noanswer:/);
    assert.ok(opened.trouble.every((line) => /status of 502|CONNECTION_REFUSED/.test(line)), opened.trouble.join("\n"));
    opened.trouble.length = 0;
  });
});

test("the page follows a dark system", async () => {
  await withGraphiql(
    async (page) => {
      const brightness = await page.evaluate(() => {
        const parts = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number);
        return parts[0] + parts[1] + parts[2];
      });
      assert.ok(brightness < 300, `background too bright: ${brightness}`);
    },
    { colorScheme: "dark" },
  );
});

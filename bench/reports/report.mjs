// The figures as markdown.

const number = (value, digits) =>
  Number.isFinite(value)
    ? value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })
    : "";
const ms = (value) => number(value, value < 10 ? 2 : value < 100 ? 1 : 0);
const mib = (bytes) => number(bytes / 2 ** 20, 0);
const FACTS = new Set(["actions", "action_items"]);

function table(head, rows) {
  const align = head.map((_, place) => (place < 2 ? "---" : "---:"));
  return [head, align, ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** What a server refused because it was busy. */
const refusals = (cell) =>
  cell?.pace.failed
    ? ` (${number((100 * cell.pace.failed) / (cell.pace.failed + cell.pace.requests), 0)} % refused)`
    : "";

function paces(results, database) {
  const rows = [];
  for (const [key, item] of Object.entries(results.items)) {
    for (const who of results.who) {
      const cells = results.cells.filter((cell) => cell.database === database && cell.item === key && cell.who === who);
      const [one, many] = [1, 16].map((clients) => cells.find((cell) => cell.clients === clients));
      if (!one) continue;
      if (one.none) rows.push([key, who, `${one.none}`, "", "", "", "", "", ""]);
      else
        rows.push([
          key,
          who,
          ms(one.pace.server + one.pace.database),
          `${ms(one.pace.server)} + ${ms(one.pace.database)}`,
          ms(one.pace.p50),
          ms(one.pace.p99),
          `${ms(many?.pace.p50)}${refusals(many)}`,
          ms(many?.pace.p99),
          number(one.rows, 0),
        ]);
    }
  }
  return table(
    ["", "", "CPU ms", "server + database", "median, 1 client", "p99", "median, 16 clients", "p99", "rows"],
    rows,
  );
}

function storage(sizes) {
  const sum = (chosen) => chosen.reduce((bytes, size) => bytes + size.bytes, 0);
  const own = sizes.filter(({ schema }) => schema === "public");
  const totals = own.filter(({ table: name }) => /^totals_|_lifetimes$/.test(name));
  const facts = own.filter(({ table: name }) => FACTS.has(name));
  const lines = [...facts, ...totals].map(({ table: name, bytes, rows }) => [name, "", number(rows, 0), mib(bytes)]);
  lines.push(
    ["**facts**", "", "", mib(sum(facts))],
    ["**all totals**", `${number((100 * sum(totals)) / sum(facts), 0)} % of the facts`, "", mib(sum(totals))],
    ["everything the product keeps", "", "", mib(sum(own))],
    ["hand-made rollups", "", "", mib(sum(sizes.filter(({ schema }) => schema === "rolled")))],
  );
  return table(["table", "", "rows", "MiB with indexes"], lines);
}

/** The whole report. */
export function markdown(results) {
  const parts = [
    `## ${number(results.actions, 0)} actions, ${results.date}`,
    "",
    `\`bench/reports/run ${results.actions}\` at ${results.commit} on ${results.machine}; everything else on the machine took ${number(results.others, 2)} cores meanwhile. ` +
      `CPU is of the server and of the database's processes, per request.`,
    "",
  ];
  for (const { name, key, version, imports, sizes } of results.databases) {
    parts.push(
      `### ${name} ${version}`,
      "",
      paces(results, key),
      "",
      table(
        ["import", "", "s", "actions/s", "CPU s", "peak MiB"],
        imports.map(({ what, seconds, cpu, memory }) => [
          what,
          "",
          number(seconds, 1),
          number(results.actions / seconds, 0),
          number(cpu, 0),
          number(memory, 0),
        ]),
      ),
      "",
      storage(sizes),
      "",
    );
  }
  const columns = results.columns.filter(({ bytes }) => bytes);
  if (columns.length > 0)
    parts.push(
      "Columns in memory:",
      "",
      table(
        ["database", "", "actions", "MiB", "resident MiB more", "s to read in", "CPU s"],
        columns.map(({ name, rows, bytes, resident, seconds, cpu }) => [
          name,
          "",
          number(rows, 0),
          mib(bytes),
          mib(resident),
          number(seconds, 1),
          number(cpu, 1),
        ]),
      ),
      "",
    );
  parts.push(
    "Questions: " +
      Object.entries(results.items)
        .map(([key, { title }]) => `${key} ${title}`)
        .join("; ") +
      ".",
    "",
  );
  if (results.checks.length > 0) parts.push("Answers compared: " + results.checks.join("; ") + ".", "");
  return parts.join("\n");
}

// The questions of the report benchmark: each as a GraphQL operation, as one SQL over the facts, and as one over
// hand-made daily rollups. One text of SQL serves PostgreSQL and SQLite; `:name` is bound by pgbench, psql and SQLite.

import { segmentItems } from "./segments.mjs";

const DAY_S = 86_400;
const DAY_US = 86_400_000_000;
const KOLKATA_US = 19_800_000_000;
/** Days from 1970-01-01 to 2024-01-01, on which the corpus begins. */
const BEGIN = 19_723;

/** Ranges in rotation: `count` of them, `step` days apart within `span` days, each `days` long. */
const every = (count, first, step, span, days) => ({ count, first: BEGIN + first, step, span, days });
const OVER_90 = every(64, 31, 11, 600, 90);
const OVER_30 = every(64, 366, 5, 330, 30);
const RECENT_90 = every(64, 152, 7, 450, 90);
const OVER_YEAR = every(64, 0, 5, 365, 365);

/** The numbers that SQL gets for the k-th range. */
export function numbers(item, k) {
  const { first, step, span, days } = item.ranges;
  const from = first + ((k * step) % span);
  const shift = item.shift ?? 0;
  const [us, ue] = [from * DAY_US - shift, (from + days) * DAY_US - shift];
  return { d: from, e: from + days, us, ue, um: us - (ue - us) };
}

/** The same as lines of a pgbench script. */
export function script(item) {
  const { count, first, step, span, days } = item.ranges;
  const shift = item.shift ?? 0;
  return [
    `\\set k random(0, ${count - 1})`,
    `\\set d ${first} + (:k * ${step}) % ${span}`,
    `\\set e :d + ${days}`,
    `\\set us :d * ${DAY_US} - ${shift}`,
    `\\set ue :e * ${DAY_US} - ${shift}`,
    "\\set um 2 * :us - :ue",
    "",
  ].join("\n");
}

/** The variables of the operation for the k-th range. */
export function variables(item, k) {
  const { us, ue } = numbers(item, k);
  const instant = (micros) => new Date(micros / 1000).toISOString().replace(".000Z", "Z");
  // For questions of what happened lately within it.
  const lately = instant(ue - 30 * DAY_US);
  return { from: instant(us), lately, to: instant(ue) };
}

// --- SQL -------------------------------------------------------------------------------------------------------------

const IN_RANGE = "a.publisher_id = :pub AND a.ordered_at_us >= :us AND a.ordered_at_us < :ue";
const ON_DAYS = "r.day >= :d AND r.day < :e";
const CART = "actions a JOIN action_items i ON i.publisher_id = a.publisher_id AND i.action_id = a.id";
const byCurrency = (column, name) =>
  ["USD", "EUR"]
    .map(
      (currency) =>
        `SUM(CASE WHEN currency = '${currency}' THEN ${column} ELSE 0 END) AS ${name}_${currency.toLowerCase()}`,
    )
    .join(", ");
const limited = (rows) => (rows ? ` LIMIT ${rows}` : "");

const topCategories = (sums, from, where) => (rows) =>
  `SELECT c.external_id, c.name, t.units, t.amount_usd, t.amount_eur FROM (SELECT ${sums} FROM ${from} WHERE ${where} ` +
  `GROUP BY category_id ORDER BY units DESC, category_id${limited(rows)}) t ` +
  "JOIN categories c ON c.publisher_id = :pub AND c.id = t.category_id ORDER BY t.units DESC, t.category_id";

const topProducts = (sums, from, where) => (rows) =>
  `SELECT p.external_id, t.units, p.name, p.url, p.image_url, c.name FROM (SELECT ${sums} FROM ${from} WHERE ${where} ` +
  `GROUP BY product_id ORDER BY units DESC, product_id${limited(rows)}) t ` +
  "JOIN products p ON p.publisher_id = :pub AND p.id = t.product_id " +
  "LEFT JOIN categories c ON c.publisher_id = :pub AND c.id = p.category_id ORDER BY t.units DESC, t.product_id";

const userClasses = (sums, from, where) => () =>
  "SELECT CASE WHEN f.first_us >= :us THEN 'NEW' ELSE 'RETURNING' END AS age, CASE WHEN u.n = 1 THEN 'ONCE' WHEN u.n <= 3 THEN 'FEW' " +
  "WHEN u.n <= 9 THEN 'REGULAR' ELSE 'LOYAL' END AS often, COUNT(*) AS users, SUM(u.n) AS actions, SUM(u.reward_usd), SUM(u.reward_eur) " +
  `FROM (SELECT user_id, ${sums} FROM ${from} WHERE ${where} GROUP BY user_id) u JOIN rolled.user_first f ON f.user_id = u.user_id ` +
  "GROUP BY 1, 2 ORDER BY 1, 2";

const series = (day) => () =>
  `SELECT ${day} AS day, status, COUNT(*) AS actions, ${byCurrency("reward_e4", "reward")} FROM actions a WHERE ${IN_RANGE} GROUP BY 1, 2 ORDER BY 1, 2`;

// --- The questions ---------------------------------------------------------------------------------------------------

const APPROVED = "filter: {status: {eq: APPROVED}}";
const RANGE = "range: {between: {from: $from, to: $to}}";
const MONEY = "{ amount currency }";
const operation = (name, body) => `query ${name}($from: DateTime!, $to: DateTime!) { ${body} }`;

/** Money in ten thousandths, as SQL has it: dollars, then euros. */
function money(sums) {
  const of = (currency) => {
    const found = sums.find((sum) => sum.currency === currency);
    if (!found) return "0";
    const [, sign, whole, rest = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(found.amount);
    return String(BigInt(`${sign}${whole}${rest.padEnd(4, "0")}`));
  };
  return [of("USD"), of("EUR")];
}
const FREQUENCIES = { 1: "ONCE", "2-3": "FEW", "4-9": "REGULAR", "10+": "LOYAL" };
const frequency = (word) =>
  FREQUENCIES[word] ??
  FREQUENCIES[
    String(word)
      .replace(/^[A-Z_]*?(?=\d)/, "")
      .replace("_", "-")
  ] ??
  word;
const dayOf = (instant, shift) => String(Math.floor((Date.parse(instant) * 1000 + shift) / (DAY_S * 1e6)));
const seriesOf = (zone, shift) => ({
  ranges: OVER_YEAR,
  shift,
  query: operation(
    "Series",
    `report(${RANGE}, bucket: DAY, groupBy: [STATUS], timeZone: "${zone}", first: 10000) ` +
      `{ nodes { time { from } key { status } values { actions reward ${MONEY} } } }`,
  ),
  answer: (data) =>
    data.report.nodes
      .filter(({ values }) => values.actions > 0)
      .map(({ time, key, values }) => [dayOf(time.from, shift), key.status, values.actions, ...money(values.reward)]),
  facts: series(shift === 0 ? `ordered_at_us / ${DAY_US}` : `(ordered_at_us + ${shift}) / ${DAY_US}`),
});

/**
 * Each has: what it asks (`title`), `ranges`, the operation (`query`), its rows as texts (`answer`), SQL over `facts` and
 * over a `rollup`, both functions of a number of rows (none: all groups); where only the `top` rows are asked for, `rank` is
 * the place of what they are ordered by; `before` are the mutations that make what is asked about.
 */
export const ITEMS = {
  q2: {
    title: "Top 10 categories by units with order amounts, 90 days",
    ranges: OVER_90,
    top: 10,
    query: operation(
      "Categories",
      `topSellingCategories(${RANGE}, level: OWN, first: 10, ${APPROVED}, timeZone: "UTC") ` +
        `{ nodes { units orderAmount ${MONEY} category { externalId name } } }`,
    ),
    answer: (data) =>
      data.topSellingCategories.nodes.map(({ units, orderAmount, category }) => [
        category.externalId,
        category.name,
        units,
        ...money(orderAmount),
      ]),
    rank: 2,
    facts: topCategories(
      `category_id, SUM(i.units) AS units, ${byCurrency("i.amount_e4", "amount")}`,
      CART,
      `${IN_RANGE} AND a.status = 'APPROVED'`,
    ),
    rollup: topCategories(
      `category_id, SUM(units) AS units, ${byCurrency("amount", "amount")}`,
      "rolled.daily_category r",
      `${ON_DAYS} AND r.status = 'APPROVED'`,
    ),
  },
  q3: {
    title: "Top 100 products by units with name, links and category, 30 days",
    ranges: OVER_30,
    top: 100,
    query: operation(
      "Products",
      `topSellingProducts(${RANGE}, first: 100, ${APPROVED}, timeZone: "UTC") ` +
        "{ nodes { units product { externalId name url imageUrl category { name } } } }",
    ),
    answer: (data) =>
      data.topSellingProducts.nodes.map(({ units, product: p }) => [
        p.externalId,
        units,
        p.name,
        p.url,
        p.imageUrl,
        p.category?.name ?? "",
      ]),
    rank: 1,
    facts: topProducts("product_id, SUM(i.units) AS units", CART, `${IN_RANGE} AND a.status = 'APPROVED'`),
    rollup: topProducts(
      "product_id, SUM(units) AS units",
      "rolled.daily_product r",
      `${ON_DAYS} AND r.status = 'APPROVED'`,
    ),
  },
  q4: {
    title: "Users by age and frequency: users, actions, rewards, 90 days",
    // An index of the product's has all that SQL over the facts reads here.
    covered: true,
    ranges: RECENT_90,
    query: operation(
      "Users",
      `report(${RANGE}, groupBy: [USER_AGE, USER_FREQUENCY], ${APPROVED}, timeZone: "UTC") ` +
        `{ nodes { key { userAge userFrequency } values { users actions reward ${MONEY} } } }`,
    ),
    answer: (data) =>
      data.report.nodes.map(({ key, values }) => [
        key.userAge,
        frequency(key.userFrequency),
        values.users,
        values.actions,
        ...money(values.reward),
      ]),
    facts: userClasses(
      `COUNT(*) AS n, ${byCurrency("reward_e4", "reward")}`,
      "actions a",
      `${IN_RANGE} AND a.status = 'APPROVED' AND a.user_id IS NOT NULL`,
    ),
    rollup: userClasses(
      `SUM(actions) AS n, ${byCurrency("reward", "reward")}`,
      "rolled.daily_user r",
      `${ON_DAYS} AND r.status = 'APPROVED'`,
    ),
  },
  q5: {
    title: "Actions and rewards by day and status, a year, UTC",
    ...seriesOf("UTC", 0),
    rollup: () =>
      `SELECT day, status, SUM(actions) AS actions, ${byCurrency("reward", "reward")} FROM rolled.daily_status r WHERE ${ON_DAYS} GROUP BY 1, 2 ORDER BY 1, 2`,
  },
  q5k: {
    title: "The same by days of Asia/Kolkata",
    ...seriesOf("Asia/Kolkata", KOLKATA_US),
  },
  q6: {
    title: "Actions, order amounts and rewards by program and country, 90 days",
    ranges: OVER_90,
    query: operation(
      "Channels",
      `report(${RANGE}, groupBy: [PROGRAM, COUNTRY], timeZone: "UTC", first: 1000) ` +
        `{ nodes { key { program { name } country } values { actions orderAmount ${MONEY} reward ${MONEY} } } }`,
    ),
    answer: (data) =>
      data.report.nodes.map(({ key, values }) => [
        key.program.name,
        key.country,
        values.actions,
        ...money(values.orderAmount),
        ...money(values.reward),
      ]),
    facts: () =>
      "SELECT p.name, t.country, t.actions, t.amount_usd, t.amount_eur, t.reward_usd, t.reward_eur FROM (SELECT a.program_id, a.country, " +
      `COUNT(*) AS actions, ${byCurrency("order_amount_e4", "amount")}, ${byCurrency("reward_e4", "reward")} FROM actions a WHERE ${IN_RANGE} GROUP BY 1, 2) t ` +
      "JOIN programs p ON p.publisher_id = :pub AND p.id = t.program_id ORDER BY 1, 2",
    rollup: () =>
      "SELECT p.name, t.country, t.actions, t.amount_usd, t.amount_eur, t.reward_usd, t.reward_eur FROM (SELECT r.program_id, r.country, " +
      `SUM(actions) AS actions, ${byCurrency("amount", "amount")}, ${byCurrency("reward", "reward")} FROM rolled.daily_country r WHERE ${ON_DAYS} GROUP BY 1, 2) t ` +
      "JOIN programs p ON p.publisher_id = :pub AND p.id = t.program_id ORDER BY 1, 2",
  },
  q6c: {
    title: "Units and rewards by category of level 1 and status, 90 days",
    ranges: OVER_90,
    query: operation(
      "Shelves",
      `report(${RANGE}, groupBy: [CATEGORY_LEVEL_1, STATUS], timeZone: "UTC", first: 1000) ` +
        `{ nodes { key { category { externalId } status } values { units reward ${MONEY} } } }`,
    ),
    answer: (data) =>
      data.report.nodes.map(({ key, values }) => [
        key.category.externalId,
        key.status,
        values.units,
        ...money(values.reward),
      ]),
    facts: () =>
      "SELECT top.external_id, t.status, SUM(t.units), SUM(t.reward_usd), SUM(t.reward_eur) FROM (SELECT i.category_id, a.status, SUM(i.units) AS units, " +
      `${byCurrency("i.reward_e4", "reward")} FROM ${CART} WHERE ${IN_RANGE} GROUP BY 1, 2) t ` +
      "JOIN categories c ON c.publisher_id = :pub AND c.id = t.category_id JOIN categories top ON top.publisher_id = :pub AND top.id = c.level1_id GROUP BY 1, 2 ORDER BY 1, 2",
    rollup: () =>
      "SELECT top.external_id, t.status, SUM(t.units), SUM(t.reward_usd), SUM(t.reward_eur) FROM (SELECT r.category_id, r.status, SUM(r.units) AS units, " +
      `${byCurrency("r.reward", "reward")} FROM rolled.daily_category r WHERE ${ON_DAYS} GROUP BY 1, 2) t ` +
      "JOIN categories c ON c.publisher_id = :pub AND c.id = t.category_id JOIN categories top ON top.publisher_id = :pub AND top.id = c.level1_id GROUP BY 1, 2 ORDER BY 1, 2",
  },
  ...segmentItems({
    over: OVER_90,
    recent: RECENT_90,
    operation,
    range: RANGE,
    money: MONEY,
    moneyOf: money,
  }),
};

// --- Hand-made rollups -----------------------------------------------------------------------------------------------

const day = `a.ordered_at_us / ${DAY_US}`;
const whole = (sum, name) => `CAST(SUM(${sum}) AS bigint) AS ${name}`;

/** Daily rollups as a careful person would make them: the rows in the order of use, an index that covers the question. */
export const ROLLUPS = [
  {
    table: "daily_category",
    as:
      `SELECT ${day} AS day, a.program_id, a.status, a.currency, i.category_id, ${whole("i.units", "units")}, ${whole("i.amount_e4", "amount")}, ` +
      `${whole("i.reward_e4", "reward")} FROM ${CART} WHERE a.publisher_id = :pub GROUP BY 1, 2, 3, 4, 5 ORDER BY 3, 1, 2, 4, 5`,
    indexes: [
      [
        ["status", "day"],
        ["category_id", "currency", "units", "amount", "reward"],
      ],
      [["day"], ["status", "category_id", "currency", "units", "reward"]],
    ],
  },
  {
    table: "daily_product",
    as:
      `SELECT ${day} AS day, a.status, a.currency, i.product_id, ${whole("i.units", "units")}, ${whole("i.amount_e4", "amount")}, ` +
      `${whole("i.reward_e4", "reward")} FROM ${CART} WHERE a.publisher_id = :pub GROUP BY 1, 2, 3, 4 ORDER BY 2, 1, 3, 4`,
    indexes: [
      [
        ["status", "day"],
        ["product_id", "units", "amount"],
      ],
    ],
  },
  {
    table: "daily_user",
    as:
      `SELECT ${day} AS day, a.status, a.currency, a.user_id, COUNT(*) AS actions, ${whole("a.reward_e4", "reward")} ` +
      "FROM actions a WHERE a.publisher_id = :pub GROUP BY 1, 2, 3, 4 ORDER BY 2, 1, 3, 4",
    indexes: [
      [
        ["status", "day"],
        ["user_id", "currency", "actions", "reward"],
      ],
    ],
  },
  {
    table: "user_first",
    as: "SELECT a.user_id, MIN(a.ordered_at_us) AS first_us FROM actions a WHERE a.publisher_id = :pub AND a.status <> 'DECLINED' AND a.user_id IS NOT NULL GROUP BY 1",
    indexes: [[["user_id"], ["first_us"]]],
  },
  {
    table: "daily_status",
    as:
      `SELECT ${day} AS day, a.program_id, a.status, a.currency, COUNT(*) AS actions, ${whole("a.reward_e4", "reward")} ` +
      "FROM actions a WHERE a.publisher_id = :pub GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4",
    indexes: [[["day"], ["status", "currency", "actions", "reward"]]],
  },
  {
    table: "daily_country",
    as:
      `SELECT ${day} AS day, a.program_id, a.country, a.status, a.currency, COUNT(*) AS actions, ${whole("a.order_amount_e4", "amount")}, ` +
      `${whole("a.reward_e4", "reward")} FROM actions a WHERE a.publisher_id = :pub GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5`,
    indexes: [[["day"], ["program_id", "country", "currency", "actions", "amount", "reward"]]],
  },
];

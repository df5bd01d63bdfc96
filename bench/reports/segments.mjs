// The questions about segments of the report benchmark, and the same by hand: one SQL over the facts each, as somebody
// would write it who has no totals.

const IN_RANGE = "a.publisher_id = :pub AND a.ordered_at_us >= :us AND a.ordered_at_us < :ue";
const COUNTED = "a.status <> 'DECLINED'";
const INSIDE = `a.ordered_at_us >= :us AND ${COUNTED}`;
const BEFORE = `a.ordered_at_us >= :um AND a.ordered_at_us < :us AND ${COUNTED}`;
const CART = "actions a JOIN action_items i ON i.publisher_id = a.publisher_id AND i.action_id = a.id";
const APPROVED = "a.status IN ('APPROVED', 'APPROVED_BUT_STALLED')";
const sum = (condition, what, name) => `SUM(CASE WHEN ${condition} THEN ${what} ELSE 0 END) AS ${name}`;
const money = (condition, what) =>
  ["USD", "EUR"]
    .map((currency) => sum(`${condition} AND a.currency = '${currency}'`, what, currency.toLowerCase()))
    .join(", ");

/** The first five products of each segment, beside the segment's own sums. */
const FIVE =
  "SELECT g.kind, g.size, g.sold, g.usd, g.eur, p.external_id, r.units FROM g JOIN r ON r.kind = g.kind AND r.spot <= 5 " +
  "JOIN products p ON p.publisher_id = :pub AND p.id = r.product_id ORDER BY g.kind, r.spot";

const PRODUCT_KINDS = {
  BEST_SELLERS: "units > 0 AND place <= 100",
  RISING: "pu > 0 AND (units >= 10 OR pu >= 10) AND (units - pu) * 100 >= pu * 50",
  FALLING: "pu > 0 AND (units >= 10 OR pu >= 10) AND (pu - units) * 100 >= pu * 50",
  NEW: "units > 0 AND first_us >= :us",
  DORMANT: "units = 0 AND life > 0",
  RISKY: "done >= 10 AND ok * 100 < done * 50",
  ABC_A: "units > 0 AND ahead * 100 < every * 80",
  ABC_B: "units > 0 AND ahead * 100 >= every * 80 AND ahead * 100 < every * 95",
  ABC_C: "units > 0 AND ahead * 100 >= every * 95",
};

export const productSegments = () =>
  `WITH s AS (SELECT i.product_id, ${sum(INSIDE, "i.units", "units")}, ${sum(BEFORE, "i.units", "pu")}, ${sum(COUNTED, "i.units", "life")}, ` +
  `MIN(CASE WHEN ${COUNTED} THEN a.ordered_at_us END) AS first_us, ` +
  `COUNT(DISTINCT CASE WHEN a.ordered_at_us >= :us AND (${APPROVED} OR a.status = 'DECLINED') THEN i.action_id END) AS done, ` +
  `COUNT(DISTINCT CASE WHEN a.ordered_at_us >= :us AND ${APPROVED} THEN i.action_id END) AS ok, ${money(INSIDE, "i.reward_e4")} ` +
  `FROM ${CART} WHERE a.publisher_id = :pub AND a.ordered_at_us < :ue AND i.product_id IS NOT NULL GROUP BY i.product_id), ` +
  "t AS (SELECT s.*, SUM(units) OVER () AS every, SUM(units) OVER (ORDER BY units DESC, pu DESC, product_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - units AS ahead, " +
  "row_number() OVER (ORDER BY units DESC, pu DESC, product_id) AS place FROM s), " +
  `m AS (${Object.entries(PRODUCT_KINDS)
    .map(([kind, is]) => `SELECT '${kind}' AS kind, t.* FROM t WHERE ${is}`)
    .join(" UNION ALL ")}), ` +
  "g AS (SELECT kind, COUNT(*) AS size, SUM(units) AS sold, SUM(usd) AS usd, SUM(eur) AS eur FROM m GROUP BY kind), " +
  `r AS (SELECT m.kind, m.product_id, m.units, row_number() OVER (PARTITION BY kind ORDER BY units DESC, pu DESC, product_id) AS spot FROM m) ${FIVE}`;

/** The values that part the users into five equal parts, by nearest rank. */
const cuts = (rank, value, name) =>
  [20, 40, 60, 80]
    .map((percent, at) => `MAX(CASE WHEN ${rank} = (c * ${percent} + 99) / 100 THEN ${value} END) AS ${name}${at}`)
    .join(", ");
const score = (value, name) =>
  `1 + ${[0, 1, 2, 3].map((at) => `CASE WHEN ${value} > ${name}${at} THEN 1 ELSE 0 END`).join(" + ")}`;

/** The segments that the SQL below has: others may be added to the product without a word to it. */
const USER_KINDS = [
  "NEW",
  "RETURNING",
  "CHAMPIONS",
  "LOYAL_CUSTOMERS",
  "POTENTIAL_LOYALISTS",
  "NEW_CUSTOMERS",
  "PROMISING",
  "NEED_ATTENTION",
  "ABOUT_TO_SLEEP",
  "CANT_LOSE_THEM",
  "AT_RISK",
  "HIBERNATING",
  "COUNTRY",
];

const USER_KIND =
  "CASE WHEN rs = 5 AND fs >= 4 THEN 'CHAMPIONS' WHEN rs = 5 AND fs >= 2 THEN 'POTENTIAL_LOYALISTS' WHEN rs = 5 THEN 'NEW_CUSTOMERS' " +
  "WHEN rs = 4 AND fs >= 4 THEN 'LOYAL_CUSTOMERS' WHEN rs = 4 AND fs >= 2 THEN 'POTENTIAL_LOYALISTS' WHEN rs = 4 THEN 'PROMISING' " +
  "WHEN rs = 3 AND fs >= 4 THEN 'LOYAL_CUSTOMERS' WHEN rs = 3 AND fs = 3 THEN 'NEED_ATTENTION' WHEN rs = 3 THEN 'ABOUT_TO_SLEEP' " +
  "WHEN fs = 5 THEN 'CANT_LOSE_THEM' WHEN fs >= 3 THEN 'AT_RISK' ELSE 'HIBERNATING' END";

export const userSegments = () =>
  `WITH u AS (SELECT a.user_id, COUNT(*) AS n, MAX(a.ordered_at_us) AS last_us, ${money("TRUE", "a.reward_e4")} FROM actions a ` +
  `WHERE ${IN_RANGE} AND ${COUNTED} AND a.user_id IS NOT NULL GROUP BY a.user_id), ` +
  "f AS (SELECT a.user_id, MIN(a.ordered_at_us) AS first_us FROM actions a WHERE a.publisher_id = :pub AND a.ordered_at_us < :ue " +
  `AND ${COUNTED} AND a.user_id IN (SELECT user_id FROM u) GROUP BY a.user_id), ` +
  "l AS (SELECT user_id, country FROM (SELECT a.user_id, a.country, row_number() OVER (PARTITION BY a.user_id ORDER BY a.ordered_at_us DESC, a.id DESC) AS spot " +
  `FROM actions a WHERE ${IN_RANGE} AND ${COUNTED} AND a.user_id IS NOT NULL) w WHERE spot = 1), ` +
  "q AS (SELECT u.*, row_number() OVER (ORDER BY last_us) AS rl, row_number() OVER (ORDER BY n) AS rn, COUNT(*) OVER () AS c FROM u), " +
  `k AS (SELECT ${cuts("rl", "last_us", "r")}, ${cuts("rn", "n", "f")} FROM q), ` +
  `z AS (SELECT u.user_id, ${score("u.last_us", "k.r")} AS rs, ${score("u.n", "k.f")} AS fs FROM u CROSS JOIN k), ` +
  `m AS (SELECT user_id, ${USER_KIND} AS kind FROM z UNION ALL SELECT user_id, CASE WHEN first_us >= :us THEN 'NEW' ELSE 'RETURNING' END FROM f ` +
  "UNION ALL SELECT user_id, 'COUNTRY ' || COALESCE(country, '') FROM l), " +
  "g AS (SELECT m.kind, COUNT(*) AS size, SUM(u.n) AS sold, SUM(u.usd) AS usd, SUM(u.eur) AS eur FROM m JOIN u ON u.user_id = m.user_id GROUP BY m.kind), " +
  "b AS (SELECT m.kind, i.product_id, SUM(i.units) AS units FROM " +
  `${CART} JOIN m ON m.user_id = a.user_id WHERE ${IN_RANGE} AND ${COUNTED} AND i.product_id IS NOT NULL GROUP BY m.kind, i.product_id), ` +
  `r AS (SELECT b.*, row_number() OVER (PARTITION BY kind ORDER BY units DESC, product_id) AS spot FROM b) ${FIVE}`;

/** Consumer electronics: category 44 of AliExpress, and what lies below it. */
const ELECTRONICS = [44, 629, 100000305, 100000306, 100000308, 100000310, 200003803];

const ELECTRONIC = `category: { externalId: { in: [${ELECTRONICS.map((id) => `"${id}"`)}] } }`;

/** Who is a quiet buyer of a period, in words of the API: of variables, or of fixed instants. */
const quietBuyersOf = (from, lately, to) =>
  `{ users: { clickCountry: { eq: "PL" }, and: [ { metric: { metric: ACTIONS, atLeast: 2, period: { between: { from: ${from}, to: ${to} } }, ` +
  `items: { ${ELECTRONIC} } } }, { metric: { metric: ACTIONS, atMost: 0, period: { between: { from: ${lately}, to: ${to} } } } } ] } }`;

/** The products of these categories, by hand. */
const ELECTRONIC_PRODUCTS =
  "SELECT p.id FROM products p JOIN categories c ON c.publisher_id = p.publisher_id AND c.id = p.category_id " +
  `WHERE p.publisher_id = :pub AND c.external_id IN (${ELECTRONICS.map((id) => `'${id}'`)})`;

/** The same by hand: one row for each of them. `until` is before what instant their latest country counts. */
const quietBuyersByHand = (from, lately, to, until) =>
  "SELECT l.user_id FROM (SELECT a.user_id, a.country, row_number() OVER (PARTITION BY a.user_id ORDER BY a.ordered_at_us DESC, a.id DESC) AS spot FROM actions a " +
  `WHERE a.publisher_id = :pub ${until} AND ${COUNTED} AND a.user_id IN (SELECT a.user_id FROM actions a ` +
  `WHERE a.publisher_id = :pub AND a.ordered_at_us >= ${from} AND a.ordered_at_us < ${to} AND ${COUNTED} AND a.user_id IS NOT NULL AND EXISTS (SELECT 1 FROM action_items i ` +
  `WHERE i.publisher_id = a.publisher_id AND i.action_id = a.id AND i.product_id IN (${ELECTRONIC_PRODUCTS})) ` +
  `GROUP BY a.user_id HAVING COUNT(*) >= 2 AND MAX(a.ordered_at_us) < ${lately})) l ` +
  "WHERE l.spot = 1 AND l.country = 'PL' AND NOT EXISTS (SELECT 1 FROM actions a WHERE a.publisher_id = :pub " +
  `AND a.user_id = l.user_id AND a.ordered_at_us >= ${lately} AND a.ordered_at_us < ${to} AND ${COUNTED})`;

const quietBuyers = () =>
  `SELECT COUNT(*) AS size FROM (${quietBuyersByHand(":us", ":ue - 30 * 86400000000", ":ue", "AND a.ordered_at_us < :ue")}) q`;

/** The period of the segments of one's own that are kept: 2025-09-21 to 2025-12-20, and its last thirty days. */
const DAYS = { from: 20_352, lately: 20_412, to: 20_442 };
const [FROM, LATELY, TO] = [DAYS.from, DAYS.lately, DAYS.to].map(
  (day) => `"${new Date(day * 86_400_000).toISOString().slice(0, 19)}Z"`,
);
const [FROM_US, LATELY_US, TO_US] = [DAYS.from, DAYS.lately, DAYS.to].map((day) => String(day * 86_400_000_000));
const bound = (metric, limits, from, to = TO) =>
  `metric: { metric: ${metric}, ${limits}, period: { between: { from: ${from}, to: ${to} } } }`;
const usersWith = (having) =>
  `SELECT a.user_id FROM actions a WHERE a.publisher_id = :pub AND a.ordered_at_us >= ${FROM_US} AND a.ordered_at_us < ${TO_US} ` +
  `AND ${COUNTED} AND a.user_id IS NOT NULL GROUP BY a.user_id HAVING ${having}`;
const productsWith = (having, where = "") =>
  `SELECT i.product_id FROM ${CART} WHERE a.publisher_id = :pub AND a.ordered_at_us >= ${FROM_US} AND a.ordered_at_us < ${TO_US} ` +
  `AND ${COUNTED} AND i.product_id IS NOT NULL ${where} GROUP BY i.product_id HAVING ${having}`;

/** Five segments of one's own: the rule, and their members by hand. */
const OWN_USERS = {
  "Quiet buyers of electronics from Poland": [
    quietBuyersOf(FROM, LATELY, TO),
    quietBuyersByHand(FROM_US, LATELY_US, TO_US, ""),
  ],
  "Users with five actions": [`{ users: { ${bound("ACTIONS", "atLeast: 5", FROM)} } }`, usersWith("COUNT(*) >= 5")],
  "Users with ten units": [`{ users: { ${bound("UNITS", "atLeast: 10", FROM)} } }`, usersWith("SUM(a.units) >= 10")],
};
const OWN_PRODUCTS = {
  "Electronics that sell": [
    `{ products: { product: { ${ELECTRONIC} }, ${bound("UNITS", "atLeast: 20", FROM)} } }`,
    productsWith("SUM(i.units) >= 20", `AND i.product_id IN (${ELECTRONIC_PRODUCTS})`),
  ],
  "Products that stopped": [
    `{ products: { ${bound("UNITS", "atLeast: 5", FROM)}, and: [ { ${bound("UNITS", "atMost: 0", LATELY)} } ] } }`,
    productsWith(`SUM(i.units) >= 5 AND MAX(a.ordered_at_us) < ${LATELY_US}`),
  ],
};
const membersByHand = (segments, id) =>
  Object.entries(segments)
    .map(([name, [, members]]) => `SELECT '${name}' AS kind, w.${id} FROM (${members}) w`)
    .join(" UNION ALL ");

const ownSegments = () =>
  `WITH mu AS (${membersByHand(OWN_USERS, "user_id")}), mp AS (${membersByHand(OWN_PRODUCTS, "product_id")}), ` +
  "n AS (SELECT kind, COUNT(*) AS size FROM mu GROUP BY kind UNION ALL SELECT kind, COUNT(*) FROM mp GROUP BY kind), " +
  `s AS (SELECT mu.kind, COUNT(*) AS sold, ${money("TRUE", "a.reward_e4")} FROM mu JOIN actions a ON a.user_id = mu.user_id WHERE ${IN_RANGE} AND ${COUNTED} GROUP BY mu.kind ` +
  `UNION ALL SELECT mp.kind, COUNT(DISTINCT i.action_id), ${money("TRUE", "i.reward_e4")} FROM ${CART} JOIN mp ON mp.product_id = i.product_id WHERE ${IN_RANGE} AND ${COUNTED} GROUP BY mp.kind), ` +
  "g AS (SELECT n.*, s.sold, s.usd, s.eur FROM n JOIN s ON s.kind = n.kind), " +
  `b AS (SELECT mu.kind, i.product_id, SUM(i.units) AS units FROM ${CART} JOIN mu ON mu.user_id = a.user_id WHERE ${IN_RANGE} AND ${COUNTED} AND i.product_id IS NOT NULL GROUP BY mu.kind, i.product_id ` +
  `UNION ALL SELECT mp.kind, i.product_id, SUM(i.units) FROM ${CART} JOIN mp ON mp.product_id = i.product_id WHERE ${IN_RANGE} AND ${COUNTED} GROUP BY mp.kind, i.product_id), ` +
  `r AS (SELECT b.*, row_number() OVER (PARTITION BY kind ORDER BY units DESC, product_id) AS spot FROM b) ${FIVE}`;

/** Rows as SQL has them: a segment with its own sums and one of its products. */
const rows = (kind, sold, money) => (segment, products) =>
  products.map(({ units, product }) => [
    kind(segment),
    segment.size,
    segment[sold],
    ...money(segment.reward),
    product.externalId,
    units,
  ]);

/** The questions, of the ranges and the words for money that the others have. */
export const segmentItems = ({ over, recent, operation, range, money: reward, moneyOf }) => ({
  q7: {
    title: "Product segments with units, rewards and five nested products each, 90 days",
    ranges: over,
    query: operation(
      "ProductSegments",
      `productSegments(${range}, segments: [${Object.keys(PRODUCT_KINDS)}], timeZone: "UTC") ` +
        `{ nodes { kind size units reward ${reward} products(first: 5) { nodes { units product { externalId } } } } }`,
    ),
    answer: (data) =>
      data.productSegments.nodes.flatMap((segment) =>
        rows((of) => of.kind, "units", moneyOf)(segment, segment.products.nodes),
      ),
    facts: productSegments,
  },
  q8: {
    title: "User segments with actions, rewards and five nested products each, 90 days",
    ranges: recent,
    query: operation(
      "UserSegments",
      `userSegments(${range}, segments: [${USER_KINDS}], first: 250, timeZone: "UTC") ` +
        `{ nodes { kind country size actions reward ${reward} topProducts(first: 5) { nodes { units product { externalId } } } } }`,
    ),
    answer: (data) =>
      data.userSegments.nodes.flatMap((segment) =>
        rows(
          (of) => (of.kind === "COUNTRY" ? `COUNTRY ${of.country ?? ""}` : of.kind),
          "actions",
          moneyOf,
        )(segment, segment.topProducts.nodes),
      ),
    facts: userSegments,
  },
  q9: {
    title: "Size of a segment of one's own: from Poland, bought electronics twice in 90 days and nothing in 30",
    ranges: over,
    query:
      "query OwnSegment($from: DateTime!, $lately: DateTime!, $to: DateTime!) " +
      `{ previewSegment(rule: ${quietBuyersOf("$from", "$lately", "$to")}, asOf: $to, sampleSize: 0) { size } }`,
    answer: (data) => (data.previewSegment.size > 0 ? [[data.previewSegment.size]] : []),
    facts: quietBuyers,
  },
  q10: {
    title: "Five segments of one's own with actions, rewards and five nested products each, 90 days",
    ranges: over,
    before: Object.entries({ ...OWN_USERS, ...OWN_PRODUCTS }).map(
      ([name, [rule]]) =>
        `mutation { createSegment(name: "${name}", rule: ${rule}) { segment { id } userErrors { code message } } }`,
    ),
    query: operation(
      "OwnSegments",
      `segments(first: 5) { nodes { name size metrics(${range}, timeZone: "UTC") { actions reward ${reward} } ` +
        `topProducts(${range}, timeZone: "UTC", first: 5) { nodes { units product { externalId } } } } }`,
    ),
    answer: (data) =>
      data.segments.nodes.flatMap(({ name, size, metrics, topProducts }) =>
        rows((of) => of.name, "actions", moneyOf)({ name, size, ...metrics }, topProducts.nodes),
      ),
    facts: ownSegments,
  },
});

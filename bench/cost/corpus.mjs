// Operations of every kind and size, as people ask them: [name, document]. What they have in common is small, so that a
// rank correlation says something.

const range = (count, unit) => `range: {last: {count: ${count}, unit: ${unit}}}`;
const money = "{ amount currency }";

/** @returns {[string, string][]} */
export function corpus() {
  const all = [];
  const add = (name, fields) => all.push([name, `{ ${fields} }`]);
  add("viewer", "viewer { publisher { slug } }");
  add("limits", "limits { cost pages { maximum } }");
  add("freshness", "freshness { state lagSeconds }");
  add("metrics", "metricDefinitions { metric formula unit }");
  for (const first of [1, 20, 100]) {
    add(`actions ${first}`, `actions(first: ${first}) { nodes { orderId status } }`);
    add(`actions ${first}, money`, `actions(first: ${first}) { nodes { orderId status orderedAt reward ${money} orderAmount ${money} program { name } adSpace { name } user { value } } }`);
    add(`actions ${first}, carts`, `actions(first: ${first}) { nodes { orderId reward ${money} items { nodes { units amount ${money} product { name url category { name } } } } } }`);
    add(`users ${first}, actions`, `users(first: ${first}) { nodes { value actions(first: 5) { nodes { orderId reward ${money} } } } }`);
    add(`products ${first}`, `products(first: ${first}) { nodes { name url category { name } } }`);
    add(`products ${first}, sales`, `products(first: ${first}) { nodes { name sales(${range(90, "DAY")}) { units reward ${money} } } }`);
  }
  for (const [count, unit] of [[7, "DAY"], [90, "DAY"], [24, "MONTH"]]) {
    const when = range(count, unit);
    const name = `${count} ${unit.toLowerCase()}s`;
    add(`totals, ${name}`, `actions(${when}, first: 1) { totals { count reward ${money} } }`);
    add(`totals filtered, ${name}`, `actions(${when}, first: 1, filter: {country: {eq: "RU"}}) { totals { count units reward ${money} } totalCount }`);
    add(`categories, ${name}`, `topSellingCategories(${when}, by: UNITS, first: 10) { nodes { rank units share change { ratio } category { name } } }`);
    add(`categories with products, ${name}`, `topSellingCategories(${when}, by: UNITS, first: 10) { nodes { units category { name } products(first: 3) { nodes { units product { name } } } } }`);
    add(`products, ${name}`, `topSellingProducts(${when}, by: UNITS, first: 100) { nodes { rank units reward ${money} product { name url } } }`);
    add(`product segments, ${name}`, `productSegments(${when}) { nodes { name size } }`);
    add(`product segments with members, ${name}`, `productSegments(${when}) { nodes { name size products(first: 20) { nodes { units reward ${money} product { name category { name } } } } } }`);
    add(`user segments, ${name}`, `userSegments(${when}) { nodes { name size reward ${money} } }`);
    add(`user segments with members, ${name}`, `userSegments(${when}) { nodes { name size topProducts(first: 3) { nodes { units product { name } } } users(first: 20) { nodes { user { value } } } } }`);
    add(`categories filtered, ${name}`, `topSellingCategories(${when}, by: UNITS, first: 10, filter: {country: {eq: "RU"}}) { nodes { rank units category { name } } }`);
    add(`traffic targets, ${name}`, `trafficTargets(${when}, first: 20) { nodes { rank units product { name } } }`);
    add(`cohorts, ${name}`, `userCohorts(${when}, bucket: MONTH) { cohorts { size } }`);
    add(`users with scores, ${name}`, `users(first: 20) { nodes { value rfm(${when}) { score } } }`);
    add(`category sales, ${name}`, `categories(first: 20) { nodes { name sales(${when}) { units reward ${money} } } }`);
    add(`user sales, ${name}`, `users(first: 20) { nodes { value sales(${when}) { units reward ${money} } } }`);
    add(`comments, ${name}`, `actions(${when}, first: 20, filter: {comment: {contains: "nowhere"}}) { nodes { orderId } }`);
    add(`preview of a rule, ${name}`, `previewSegment(rule: {users: {metric: {metric: ACTIONS, atLeast: 2, period: {last: {count: ${count}, unit: ${unit}}}}}}) { size sample { user { value } } }`);
    add(`products with changes, ${name}`, `topSellingProducts(${when}, by: UNITS, first: 20) { nodes { units share change { ratio } } }`);
    add(`products of a segment, ${name}`, `topSellingProducts(${when}, by: UNITS, first: 20, products: {builtInSegment: {kind: RISING}}) { totalCount nodes { units product { name } } }`);
    add(`products of a name, ${name}`, `topSellingProducts(${when}, by: UNITS, first: 20, products: {name: {contains: "a"}}) { nodes { units } }`);
    add(`trend of a product segment, ${name}`, `productSegments(${when}, first: 1) { nodes { name trend(range: {last: {count: 6, unit: MONTH}}, bucket: MONTH) { size } } }`);
    add(`trends of product segments, ${name}`, `productSegments(${when}) { nodes { name trend(range: {last: {count: 6, unit: MONTH}}, bucket: MONTH) { size } } }`);
    add(`trend of a user segment, ${name}`, `userSegments(${when}, first: 1) { nodes { name trend(range: {last: {count: 6, unit: MONTH}}, bucket: MONTH) { size } } }`);
    add(`trends of user segments, ${name}`, `userSegments(${when}, first: 20) { nodes { name trend(range: {last: {count: 6, unit: MONTH}}, bucket: MONTH) { size } } }`);
    add(`products, whole, ${name}`, `topSellingProducts(${when}, by: UNITS, first: 20) { totalCount totals { units } nodes { units } }`);
    add(`products filtered, how complete, ${name}`, `topSellingProducts(${when}, by: UNITS, first: 20, filter: {country: {eq: "RU"}}) { info { actions unprocessedShare cartCoverage } nodes { units } }`);
    add(`report of lags, ${name}`, `report(${when}, groupBy: [PROGRAM]) { nodes { key { program { name } } values { actions conversionLag { median } validationLag { median } } } }`);
    add(`report by built-in segments, ${name}`, `report(${when}, groupBy: [USER_SEGMENT], builtInSegments: [{users: {kind: CHAMPIONS}}, {users: {kind: AT_RISK}}]) { nodes { values { actions reward ${money} } } }`);
    add(`report by program, ${name}`, `report(${when}, groupBy: [PROGRAM, COUNTRY]) { nodes { key { program { name } country } values { actions reward ${money} approvalRate } } }`);
    add(`report by product, ${name}`, `report(${when}, groupBy: [PRODUCT], first: 1000) { nodes { key { product { name } } values { units reward ${money} } } }`);
    add(`report by day, ${name}`, `report(${when}, bucket: DAY, groupBy: [STATUS], first: 2000) { nodes { time { from } key { status } values { actions reward ${money} orderAmount ${money} } } }`);
  }
  for (const days of [30, 90, 365]) add(`movement, ${days} days`, `userSegmentMovement(days: ${days}) { moved stayed entered left }`);
  add("preview of a country", `previewSegment(rule: {users: {clickCountry: {eq: "RU"}}}) { size }`);
  // The demo has no segments unless somebody defined some.
  add("segments, sizes", "segments(first: 10) { nodes { name size } }");
  add("segments, members", "segments(first: 3) { nodes { name members(first: 20) { nodes { user { value } } } } }");
  add("category tree", "categories(first: 100) { nodes { name path { name } children { name } } }");
  add("history", `actions(first: 50) { nodes { history { nodes { status reward ${money} changedAt } } } }`);
  add("imports", "imports(first: 20) { nodes { name state } totalCount }");
  add("earnings, 12 months", `earnings(${range(12, "MONTH")}) { approvedReward ${money} netReward ${money} }`);
  add("programs", "programs(first: 20) { nodes { name } }");
  add("count of users", "users(first: 1) { totalCount }");
  return all;
}

/**
 * The ready-made queries: opened as tabs on the first visit and offered in the
 * "Ready-made queries" list ever after. `tests/node/clients.test.mjs` checks each against
 * `schema.graphql`, `tests/node/graphiql.test.mjs` runs each on the demo's data; this file
 * holds text only.
 */

/** A query with a name of its own, the words shown for it and its first variables. */
export interface ReadyMade {
  /** What the list shows. */
  readonly label: string;
  /** The document; its operation's name becomes the tab's title. */
  readonly query: string;
  /** Variables as the variables pane shows them. */
  readonly variables: Readonly<Record<string, unknown>>;
}

const LAST_30_DAYS = { last: { count: 30, unit: "DAY" } } as const;
const LAST_12_MONTHS = { last: { count: 12, unit: "MONTH" } } as const;

/** Consumer Electronics and what lies below it, by AliExpress category id: the same on every server. */
const ELECTRONICS = ["44", "629", "100000305", "100000306", "100000308", "100000310", "200003803"] as const;

/** From Poland, bought electronics in a year and nothing in 30 days. */
const QUIET_BUYERS = {
  users: {
    clickCountry: { eq: "PL" },
    and: [
      {
        metric: {
          metric: "ACTIONS",
          atLeast: 1,
          period: { last: { count: 365, unit: "DAY" } },
          items: { category: { externalId: { in: ELECTRONICS } } },
        },
      },
      { metric: { metric: "ACTIONS", atMost: 0, period: { last: { count: 30, unit: "DAY" } } } },
    ],
  },
} as const;

/** In the order of the tabs; the first one is in front. */
export const READY_MADE: readonly ReadyMade[] = [
  {
    label: "Morning: what sold, to whom, what it earned",
    query: /* GraphQL */ `
# Everything a morning needs, in one request.
query Morning($range: RangeInput!) {
  actions(
    range: $range
    first: 20
    filter: {status: {in: [APPROVED]}}
  ) {
    totals { count reward { amount currency } }
    nodes {
      orderId
      status
      reward { amount currency }
      items {
        nodes {
          amount { amount currency }
          product {
            name url imageUrl
            category { name }
          }
        }
      }
    }
  }
  productSegments(range: $range) {
    nodes {
      name
      size
      products(first: 5) {
        nodes {
          units
          reward { amount currency }
          product {
            name url imageUrl
            category { name }
          }
        }
      }
    }
  }
  topSellingCategories(
    range: $range
    by: UNITS
    first: 10
  ) {
    nodes {
      rank
      units
      share
      change { ratio }
      category { name }
      products(first: 3) {
        nodes { units product { name imageUrl } }
      }
    }
  }
  userSegments(range: $range) {
    nodes {
      name
      size
      reward { amount currency }
      topProducts(first: 3) {
        nodes {
          units
          product { name category { name } }
        }
      }
    }
  }
}
`,
    variables: { range: LAST_30_DAYS },
  },
  {
    label: "Approved actions with their carts",
    query: /* GraphQL */ `
# Page on with $after = pageInfo.endCursor; every action comes exactly once.
query ApprovedActions($range: RangeInput!, $after: String) {
  actions(
    range: $range
    filter: {status: {eq: APPROVED}}
    orderBy: [{field: ORDERED_AT, direction: DESC}]
    first: 20
    after: $after
  ) {
    totalCount
    totals { count units reward { amount currency } orderAmount { amount currency } }
    nodes {
      orderId
      status
      paid
      eligibility
      orderedAt
      country
      reward { amount currency }
      orderAmount { amount currency }
      program { name }
      adSpace { name }
      user { value }
      items {
        nodes {
          units
          amount { amount currency }
          product { name url imageUrl category { name } }
        }
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}
`,
    variables: { range: LAST_30_DAYS, after: null },
  },
  {
    label: "Carts with something of a category, and what it earned",
    query: /* GraphQL */ `
# Conditions reach into the cart, the program, the ad space and the user.
query CartsWith($range: RangeInput!, $category: String!) {
  actions(
    range: $range
    filter: {
      status: {in: [APPROVED, PENDING]}
      items: {some: {product: {category: {name: {contains: $category}}}}}
    }
    first: 10
  ) {
    totals { count units reward { amount currency } }
    nodes {
      orderId
      status
      orderedAt
      country
      reward { amount currency }
      adSpace { name }
      user { value firstSeenAt }
      items {
        nodes {
          units
          amount { amount currency }
          product { name category { name path { name } } }
        }
      }
    }
  }
}
`,
    variables: { range: LAST_30_DAYS, category: "phone" },
  },
  {
    label: "Top categories of the second level, with their best products",
    query: /* GraphQL */ `
# Rows, others and unattributed together give the totals, to the cent.
query TopCategories($range: RangeInput!) {
  topSellingCategories(range: $range, by: ACTIONS, level: TWO, first: 10) {
    nodes {
      rank
      actions
      units
      share
      change { previous absolute ratio }
      reward { amount currency }
      category { name parent { name } }
      products(first: 3) {
        nodes { rank actions units product { name imageUrl } }
        hasMore
      }
    }
    totals { actions units reward { amount currency } }
    others { units reward { amount currency } }
    unattributed { reward { amount currency } }
    info { asOf actions cartCoverage unprocessedShare warnings { code message } }
  }
}
`,
    variables: { range: LAST_30_DAYS },
  },
  {
    label: "Top products by reward in one currency",
    query: /* GraphQL */ `
# Money ranks within one currency: only what was sold in it is ranked.
query TopProducts($range: RangeInput!, $currency: CurrencyCode!) {
  topSellingProducts(range: $range, by: REWARD, currency: $currency, first: 20) {
    nodes {
      rank
      units
      share
      reward { amount currency }
      change { previous absolute ratio }
      product { name url imageUrl category { name } }
    }
    totals { units reward { amount currency } }
    others { units reward { amount currency } }
  }
}
`,
    variables: { range: LAST_30_DAYS, currency: "USD" },
  },
  {
    label: "Overdue on hold",
    query: /* GraphQL */ `
# On hold past the program's hold time: the buyer may not have confirmed the receipt,
# or the advertiser is late.
query Overdue($range: RangeInput!) {
  actions(
    range: $range
    filter: {overdue: true}
    orderBy: [{field: ORDERED_AT, direction: ASC}]
    first: 20
  ) {
    totals { count reward { amount currency } }
    nodes {
      orderId
      orderedAt
      holdEndsAt
      reward { amount currency }
      program { name holdLimitDays }
      items { nodes { product { name } } }
    }
  }
}
`,
    variables: { range: LAST_12_MONTHS },
  },
  {
    label: "Report: each day by status, with running totals",
    query: /* GraphQL */ `
# Any dimensions, any time zone, any metrics: only what is selected is computed.
query ReportByDay($range: RangeInput!, $timeZone: TimeZone) {
  report(
    range: $range
    timeZone: $timeZone
    bucket: DAY
    groupBy: [STATUS]
    fillGaps: true
    first: 500
  ) {
    totals { actions users approvalRate reward { amount currency } }
    nodes {
      time { from }
      key { status }
      values { actions reward { amount currency } }
      running { actions reward { amount currency } }
    }
    info { asOf sources rowsRead }
  }
}
`,
    variables: { range: LAST_30_DAYS, timeZone: "Europe/Warsaw" },
  },
  {
    label: "Report: where it comes from, compared with the period before",
    query: /* GraphQL */ `
# Pass a row's "filter" to "actions" as a variable: it lists exactly the row's actions.
query ReportByPlace($range: RangeInput!, $currency: CurrencyCode!) {
  report(
    range: $range
    groupBy: [AD_SPACE, COUNTRY]
    having: [{metric: ACTIONS, atLeast: 5}]
    orderBy: [{metric: REWARD, currency: $currency}]
    compareWith: PREVIOUS_PERIOD
    first: 20
  ) {
    totalCount
    nodes {
      key { adSpace { name } country }
      values { actions users approvalRate reward { amount currency } conversionLag { median p90 } }
      share(of: REWARD, currency: $currency)
      change(of: REWARD, currency: $currency) { previous absolute ratio }
      filter
    }
    totals { actions users reward { amount currency } }
    others { actions reward { amount currency } }
  }
}
`,
    variables: { range: LAST_30_DAYS, currency: "USD" },
  },
  {
    label: "Product segments: best sellers, rising, risky, ABC",
    query: /* GraphQL */ `
query ProductSegments($range: RangeInput!) {
  productSegments(range: $range) {
    nodes {
      kind
      name
      size
      units
      reward { amount currency }
      products(first: 5) {
        nodes {
          units
          previousUnits
          approvalRate
          reward { amount currency }
          product { name url category { name } }
        }
      }
    }
  }
}
`,
    variables: { range: LAST_30_DAYS },
  },
  {
    label: "User segments: RFM, new, returning, high value, by country",
    query: /* GraphQL */ `
query UserSegments($range: RangeInput!) {
  userSegments(range: $range) {
    nodes {
      kind
      name
      size
      actions
      reward { amount currency }
      topProducts(first: 3) {
        nodes { units product { name category { name } } }
      }
      users(first: 3) {
        nodes {
          user { value }
          actions
          lastActionAt
          recencyScore
          frequencyScore
          monetaryScore
        }
      }
    }
  }
}
`,
    variables: { range: LAST_30_DAYS },
  },
  {
    label: "Users with their RFM scores",
    query: /* GraphQL */ `
query UsersWithScores($range: RangeInput!) {
  users(first: 20) {
    nodes {
      value
      rfm(range: $range) {
        score
        segment
        daysSinceLastAction
        actions
        amount { amount currency }
      }
    }
  }
  segmentSettings {
    users { currency monetary minimumActions percentiles highValuePercent }
  }
}
`,
    variables: { range: LAST_30_DAYS },
  },
  {
    label: "Who moved between RFM segments",
    query: /* GraphQL */ `
# Now against so many days ago, each by the days before it; from and to name other
# dates.
query Movement($days: Int!) {
  userSegmentMovement(days: $days) {
    beforeRange { from to }
    afterRange { from to }
    stayed
    moved
    entered
    left
    before { segment users }
    after { segment users }
    steps {
      nodes {
        from
        to
        size
        users(first: 3) {
          nodes { user { value } before { score } after { score } }
        }
      }
    }
  }
}
`,
    variables: { days: 30 },
  },
  {
    label: "Cohorts: who came back, by month",
    query: /* GraphQL */ `
query Cohorts($range: RangeInput!) {
  userCohorts(range: $range, bucket: MONTH) {
    cohorts {
      period { from }
      size
      periods {
        age
        users
        share
        actions
        reward { amount currency }
        cumulativeRewardPerUser { amount currency }
      }
    }
  }
}
`,
    variables: { range: { last: { count: 6, unit: "MONTH" } } },
  },
  {
    label: "What the user behind a SubID bought",
    query: /* GraphQL */ `
# Put one of your own users in $subid: the value that your links carry in SubID 1.
query ActionsOfUser($subid: String!, $range: RangeInput!) {
  actions(
    range: $range
    filter: {subid1: {eq: $subid}}
    orderBy: [{field: ORDERED_AT, direction: DESC}]
    first: 20
  ) {
    totals { count units reward { amount currency } }
    nodes {
      orderId
      status
      orderedAt
      country
      reward { amount currency }
      items {
        nodes { units amount { amount currency } product { name url imageUrl } }
      }
      history {
        nodes { status reward { amount currency } changedAt }
      }
    }
  }
}
`,
    variables: { subid: "u-10001", range: LAST_12_MONTHS },
  },
  {
    label: "Products worth traffic, with links",
    query: /* GraphQL */ `
# What an order of each product is expected to bring, why, and the link to send
# visitors from $country through. docs/TRAFFIC.md says how it is ranked.
query ProductsWorthTraffic($range: RangeInput!, $country: CountryCode!, $subids: SubidsInput) {
  trafficTargets(range: $range, country: $country, minOrders: 5, first: 10) {
    totalCount
    currency
    program { name }
    baseApprovalRate
    nodes {
      rank
      product { externalId name imageUrl }
      expectedRewardPerOrder { amount currency }
      orders
      approvalRate
      units
      trend { previous absolute ratio }
      availability
      commissionRate
      reasons { kind speaksFor text }
      affiliateLink(subids: $subids) {
        url
        isHot
        program { name }
        adSpace { name }
        explanation
        warnings { code message }
      }
    }
  }
}
`,
    variables: {
      range: LAST_30_DAYS,
      country: "DE",
      subids: { subid: "newsletter", subid1: "u-10001" },
    },
  },
  {
    label: "Priority products with links, sold or not",
    query: /* GraphQL */ `
# trafficTargets ranks what was sold; these are all products of the priority list, also
# those without an order. addPriorityProducts puts products there: by AliExpress id, link
# or CSV.
query PriorityProducts($range: RangeInput!, $country: CountryCode!, $subids: SubidsInput, $after: String) {
  products(filter: {isPriority: {eq: true}}, first: 20, after: $after) {
    totalCount
    nodes {
      externalId
      name
      isHot
      commissionRate
      sales(range: $range) { actions units }
      affiliateLink(country: $country, subids: $subids) {
        url
        program { name }
        explanation
        warnings { code message }
      }
    }
    pageInfo { hasNextPage endCursor }
  }
  awaitedProducts(first: 20) { totalCount nodes { listed listedAt } }
}
`,
    variables: {
      range: LAST_30_DAYS,
      country: "DE",
      subids: { subid: "newsletter" },
      after: null,
    },
  },
  {
    label: "Programs: terms and who is paid where",
    query: /* GraphQL */ `
# As of today; put a day such as "2022-05-30" in $asOf to see what held then.
query Programs($country: CountryCode!, $asOf: Date) {
  programs(orderBy: [{field: NAME, direction: DESC}]) {
    nodes {
      externalId
      name
      currency
      holdDays
      cookieDays
      eligibility(country: $country, asOf: $asOf)
      countryRules(asOf: $asOf) {
        countries
        allOthers
        eligibility
        validFrom
      }
      terms(asOf: $asOf) { code value validFrom validTo note source }
    }
  }
}
`,
    variables: { country: "PL", asOf: null },
  },
  {
    label: "Imports: how fresh the data is, and what was rejected",
    query: /* GraphQL */ `
query Imports {
  viewer { publisher { name timeZone currency } credential }
  freshness { source entrance lastSuccessAt newestDataAt lagSeconds }
  imports(first: 10) {
    nodes {
      entrance
      name
      state
      startedAt
      finishedAt
      counts { read inserted updated unchanged stale rejected rounded }
      error
      rejectedRecords(first: 5) {
        totalCount
        nodes { page line field reason message raw }
      }
    }
  }
}
`,
    variables: {},
  },
  {
    label: "Segments: preview a rule",
    query: /* GraphQL */ `
# Users from Poland who bought electronics in a year and nothing in 30 days: who
# would be in it, why, and what it costs to ask; nothing is saved. The rule names the
# categories by their AliExpress ids. {"within": ["..."]} means a category and all
# below it, with the id that categories(filter: {name: {contains: "electronics"}})
# shows.
query PreviewSegment($rule: SegmentRuleInput!) {
  previewSegment(rule: $rule, sampleSize: 5) {
    size
    sentence
    problems { field message }
    warnings { field message }
    cost { actionsRead class }
    sample {
      user { value firstSeenAt }
      reasons { condition needed actual holds }
    }
  }
}
`,
    variables: { rule: QUIET_BUYERS },
  },
  {
    label: "Segments: define one",
    query: /* GraphQL */ `
# Needs a key with the scope "segments"; callers of the demo have it. updateSegment
# changes it, archiveSegment puts it away.
mutation DefineSegment($name: String!, $rule: SegmentRuleInput!) {
  createSegment(name: $name, description: "Polish buyers of electronics, quiet for a month", rule: $rule) {
    segment { id name version size }
    userErrors { field code message }
    warnings { field message }
  }
}
`,
    variables: { name: "Quiet buyers", rule: QUIET_BUYERS },
  },
  {
    label: "Segments: actions, top categories and trend of one",
    query: /* GraphQL */ `
# All users as it stands: put {"in": ["..."]} with ids of the first list into
# $segment. The same filter works in every list and report.
query UseSegments($segment: SegmentFilter!, $range: RangeInput!) {
  segments(subject: USERS, first: 10) {
    nodes {
      id
      name
      state
      sentence
      size
      trend(range: {last: {count: 8, unit: WEEK}}, bucket: WEEK) { at size }
    }
  }
  actions(range: $range, first: 5, filter: {user: {segment: $segment}}) {
    totals { count reward { amount currency } }
    nodes { orderId user { value } reward { amount currency } }
  }
  topSellingCategories(range: $range, first: 5, filter: {user: {segment: $segment}}) {
    nodes { rank units category { name } products(first: 3) { nodes { units product { name url } } } }
  }
}
`,
    variables: { segment: { notIn: [] }, range: LAST_12_MONTHS },
  },
  {
    label: "Segments: links for what one likes most",
    query: /* GraphQL */ `
# All users as it stands: put {"in": ["..."]} with ids of segments into $segment. The
# links lead visitors from $country; setDeeplink says how they are made.
query SegmentLinks($segment: SegmentFilter!, $range: RangeInput!, $country: CountryCode!, $subids: SubidsInput) {
  topSellingProducts(range: $range, by: UNITS, first: 10, filter: {user: {segment: $segment}}) {
    nodes {
      rank
      units
      product {
        externalId
        name
        imageUrl
        affiliateLink(country: $country, subids: $subids) {
          url
          isHot
          program { name }
          explanation
          warnings { code message }
        }
      }
    }
  }
}
`,
    variables: {
      segment: { notIn: [] },
      range: LAST_12_MONTHS,
      country: "PL",
      subids: { subid: "newsletter" },
    },
  },
  {
    label: "Segments: freeze one",
    query: /* GraphQL */ `
# Keeps who is in it now as a segment of its own; the segment itself goes on. Put the
# id of a segment into $id.
mutation FreezeSegment($id: ID!) {
  freezeSegment(id: $id) {
    segment { id name state frozenAt size frozenFrom { name } }
    userErrors { field code message }
  }
}
`,
    variables: { id: "" },
  },
];

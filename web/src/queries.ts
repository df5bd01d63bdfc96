/**
 * The ready-made queries: opened as tabs on the first visit and offered in the
 * "Ready-made queries" list ever after. Each is checked against `schema.graphql`
 * by `tests/node/clients.test.mjs`; this file holds text only.
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
const LAST_90_DAYS = { last: { count: 90, unit: "DAY" } } as const;

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
    totals { count reward { amount currency } }
    nodes {
      orderId
      status
      paid
      orderedAt
      country
      reward { amount currency }
      orderAmount { amount currency }
      program { name }
      items {
        nodes { amount { amount currency } product { name url category { name } } }
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}
`,
    variables: { range: LAST_30_DAYS, after: null },
  },
  {
    label: "Top products by reward in one currency",
    query: /* GraphQL */ `
# Money ranks within one currency: rows in other currencies are left out.
query TopProducts($range: RangeInput!, $currency: CurrencyCode!) {
  topSellingProducts(range: $range, by: REWARD, currency: $currency, first: 20) {
    nodes {
      rank
      units
      share
      reward { amount currency }
      change { ratio }
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
    label: "Product segments: best sellers, rising, risky, ABC",
    query: /* GraphQL */ `
query ProductSegments($range: RangeInput!) {
  productSegments(range: $range) {
    nodes {
      name
      size
      products(first: 10) {
        nodes {
          units
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
    label: "User segments: RFM, new, returning, by country",
    query: /* GraphQL */ `
query UserSegments($range: RangeInput!) {
  userSegments(range: $range) {
    nodes {
      name
      size
      reward { amount currency }
      topProducts(first: 5) {
        nodes { units product { name category { name } } }
      }
    }
  }
}
`,
    variables: { range: LAST_90_DAYS },
  },
  {
    label: "What the user behind a SubID bought",
    query: /* GraphQL */ `
# Put one of your own users in $subId: the value your links carry in SubID 1.
query ActionsOfUser($subId: String!, $range: RangeInput) {
  actions(
    range: $range
    filter: {subId1: {eq: $subId}}
    orderBy: [{field: ORDERED_AT, direction: DESC}]
    first: 50
  ) {
    totals { count reward { amount currency } }
    nodes {
      orderId
      status
      orderedAt
      reward { amount currency }
      items { nodes { amount { amount currency } product { name url } } }
    }
  }
}
`,
    variables: { subId: "u-1", range: null },
  },
  {
    label: "Programs: terms and who is paid where",
    query: /* GraphQL */ `
query Programs($asOf: Date) {
  programs {
    nodes {
      name
      currency
      terms(asOf: $asOf) { validFrom validTo holdDays }
      eligibility(asOf: $asOf) { country eligibility }
    }
  }
}
`,
    variables: { asOf: null },
  },
  {
    label: "Imports and the records they refused",
    query: /* GraphQL */ `
query Imports {
  freshness { source lastSuccessAt }
  imports(first: 10) {
    nodes {
      startedAt
      finishedAt
      state
      rejected(first: 5) { totalCount nodes { line reason raw } }
    }
  }
}
`,
    variables: {},
  },
];

"""Asks a running server everything that its schema allows: operations made from schema.graphql, with values that fit and
values at the edges, with each key in turn. No answer may be a fault of the server, and every error has a code that clients may rely on.

Usage: api.py URL CASES SEED KEY...
"""

import json
import sys
import urllib.error
import urllib.request
from pathlib import Path

import schemathesis
from graphql import NullValueNode, ObjectValueNode, TypeInfo, TypeInfoVisitor, Visitor, build_schema, get_named_type
from graphql import parse, print_ast, visit
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.graphql import nodes

ROOT = Path(__file__).resolve().parents[2]
CODES = {
    "GRAPHQL_PARSE_FAILED",
    "GRAPHQL_VALIDATION_FAILED",
    "BAD_USER_INPUT",
    "UNAUTHENTICATED",
    "FORBIDDEN",
    "NOT_FOUND",
    "CONFLICT",
    "LIMIT_EXCEEDED",
    "COST_EXCEEDED",
    "RATE_LIMITED",
    "TIMEOUT",
    "SERVICE_UNAVAILABLE",
    "STORAGE_FULL",
}


def texts(*values):
    """Values that mean something, and among them any text."""
    return st.one_of(st.sampled_from(values), st.text(max_size=20)).map(nodes.String)


def numbers(*values):
    """Numbers at the edges, as texts or literals."""
    whole = st.integers(-(2**70), 2**70)
    return st.one_of(st.sampled_from(values).map(nodes.String), whole.map(nodes.Int), whole.map(str).map(nodes.String))


SCALARS = {
    "BigInt": numbers("0", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "1e3", ""),
    "CountryCode": texts("RU", "US", "ZZ", "ru", "", "XXX"),
    "CurrencyCode": texts("USD", "EUR", "XXX", "usd", ""),
    "Date": texts("2026-01-31", "1970-01-01", "9999-12-31", "2024-02-30", "0000-00-00", "10000-01-01"),
    "DateTime": texts("2026-01-31T12:00:00Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2016-12-31T23:59:60Z", "2026-01-01T00:00:00+99:00"),
    "Decimal": numbers("0", "0.0001", "0.00001", "-1.5", "922337203685477.5807", "922337203685477.5808", "NaN", "1e400"),
    "TimeZone": texts("UTC", "Europe/Moscow", "Asia/Kathmandu", "+03:00", "Nowhere", ""),
    "URL": texts("https://a.example/x", "javascript:1", ""),
}


def register(schema_text):
    """Every scalar of the schema's own has a strategy: one that is new gets texts and numbers."""
    for line in schema_text.splitlines():
        if line.startswith("scalar "):
            name = line.split()[1]
            schemathesis.graphql.scalar(name, SCALARS.get(name, numbers("", "a", "true")))


class OneOf(Visitor):
    """Leaves one field in each input object that takes exactly one: generators know nothing of @oneOf yet."""

    def __init__(self, types):
        super().__init__()
        self.types = types

    def enter_object_value(self, node, *_):
        kind = get_named_type(self.types.get_input_type())
        if not getattr(kind, "is_one_of", False):
            return None
        given = [field for field in node.fields if not isinstance(field.value, NullValueNode)]
        return ObjectValueNode(fields=tuple(given[:1]))


class Answers:
    """Sends operations and judges the answers."""

    def __init__(self, url, keys, schema):
        self.url = url
        self.keys = keys
        self.schema = schema
        self.statuses = {}
        self.codes = {}

    def judge(self, document):
        types = TypeInfo(self.schema)
        document = print_ast(visit(parse(document), TypeInfoVisitor(types, OneOf(types))))
        body = json.dumps({"query": document}).encode()
        headers = {"content-type": "application/json", "accept": "application/graphql-response+json"}
        key = self.keys[sum(self.statuses.values()) % len(self.keys)]
        headers["authorization"] = f"Bearer {key}"
        request = urllib.request.Request(self.url, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        self.statuses[status] = self.statuses.get(status, 0) + 1
        assert status < 500 and status != 401, f"{status}: {text[:500]!r}"
        told = json.loads(text)
        for error in told.get("errors", []):
            code = error.get("extensions", {}).get("code")
            self.codes[code] = self.codes.get(code, 0) + 1
            assert code in CODES, f"{error}"
        assert "errors" in told or isinstance(told["data"], dict), text[:500]


def main():
    url, cases, start = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    text = (ROOT / "schema.graphql").read_text()
    register(text)
    schema = schemathesis.graphql.from_file(text)
    operations = [result.ok() for result in schema.get_all_operations()]
    each = -(-cases // len(operations))
    answers = Answers(url, sys.argv[4:], build_schema(text))
    asked = 0
    for operation in operations:
        before = sum(answers.statuses.values())

        @seed(start)
        @settings(
            max_examples=each,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def check(case):
            answers.judge(case.body if isinstance(case.body, str) else str(case.body))

        check()
        asked += sum(answers.statuses.values()) - before
    print(f"{asked} operations over {len(operations)} root fields; statuses {answers.statuses}; errors {answers.codes}")
    assert asked >= cases * 0.9, "too few operations could be made"


main()

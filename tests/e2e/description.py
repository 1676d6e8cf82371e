#!/usr/bin/env python3
"""docs/openapi.yaml: sound in itself, and a judge that can say no."""
import json
import os
import re
import sys

import jsonschema

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from tap import case, run  # noqa: E402
from openapi import description  # noqa: E402

DOCUMENT = description.document


def walk(value):
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from walk(item)
    elif isinstance(value, list):
        for item in value:
            yield from walk(item)


@case("/openapi/every-reference-leads-somewhere")
def _():
    references = [item["$ref"] for item in walk(DOCUMENT) if isinstance(item.get("$ref"), str)]
    assert len(references) > 50
    for reference in references:
        description.resolve(reference)


@case("/openapi/nothing-is-described-that-nobody-uses")
def _():
    used = {item["$ref"] for item in walk(DOCUMENT) if isinstance(item.get("$ref"), str)}
    for kind in ("parameters", "requestBodies", "responses", "schemas"):
        for name in DOCUMENT["components"][kind]:
            assert f"#/components/{kind}/{name}" in used, (kind, name)


@case("/openapi/every-schema-is-one")
def _():
    for item in walk(DOCUMENT):
        if isinstance(item.get("schema"), dict):
            jsonschema.Draft202012Validator.check_schema(item["schema"])
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


@case("/openapi/every-operation-is-named-once-and-may-fail")
def _():
    names = []
    for item in DOCUMENT["paths"].values():
        for method, operation in item.items():
            if method == "parameters":
                continue
            names.append(operation["operationId"])
            assert operation["summary"] and operation["tags"], operation
            assert operation["responses"]["default"] == {"$ref": "#/components/responses/Problem"}, operation
    assert len(names) == len(set(names)), names


@case("/openapi/every-part-of-a-path-is-a-parameter")
def _():
    for path, item in DOCUMENT["paths"].items():
        declared = {description.follow(parameter)["name"] for parameter in item.get("parameters", [])}
        assert declared == set(re.findall(r"\{(\w+)\}", path)), path


@case("/openapi/every-route-is-described-and-nothing-else")
def _():
    with open(os.path.join(os.environ["HF_TEST_SRCDIR"], "fcgi", "routes.c"), encoding="utf-8") as source:
        text = source.read().replace("HF_METRICS_ROUTE", '"metrics"')
        routes = re.findall(r'\{"([A-Z]+)",\s+"([^"]+)",\s+hf_handle', text)
    described = {(method, re.sub(r"\{\w+\}", "*", re.sub(r"\{key\}", "**", path.removeprefix("/api/backup/"))))
                 for method, path in description.operations()}
    assert len(routes) > 20 and set(routes) == described, set(routes) ^ described


ROW = {"key": "backups/x.sql.gz", "size": 1, "lastModified": "2024-01-15T02:00:00.000Z", "type": "database", "level": 1,
       "set": "2024-01-15_02-00-00"}
STATUS = {"success": True, "totalBackups": 1, "retentionDays": 30, "backupGroups": {"2024-01-15": [ROW]}, "running": None,
          "elsewhere": [],
          "lastSuccess": None, "nextRuns": {"daily": None, "weekly": "2024-01-21T03:00:00.000Z"}, "replicas": [], "store": {}}
PROBLEM = {"success": False, "message": "Backup failed", "error": "why", "code": "conflict"}
GOOD = [
    ("status", "GET", "/api/backup/status", 200, STATUS),
    ("problem", "POST", "/api/backup/trigger", 409, {**PROBLEM, "job": "j"}),
    ("problem-of-an-unknown-path", "GET", "/api/backup/no/such", 404, {**PROBLEM, "code": "not_found"}),
    ("problem-of-an-unknown-method", "PATCH", "/api/backup/status", 405, {**PROBLEM, "code": "method_not_allowed"}),
    ("image-with-slashes", "GET", "/api/backup/sets/latest/objects/a/b.jpg", 404, {**PROBLEM, "code": "not_found"}),
]
BAD = [
    ("a-member-too-much", "GET", "/api/backup/status", 200, {**STATUS, "more": 1}),
    ("a-member-missing", "GET", "/api/backup/status", 200, {k: v for k, v in STATUS.items() if k != "retentionDays"}),
    ("a-row-without-its-key", "GET", "/api/backup/status", 200,
     {**STATUS, "backupGroups": {"2024-01-15": [{k: v for k, v in ROW.items() if k != "key"}]}}),
    ("a-day-that-is-none", "GET", "/api/backup/status", 200, {**STATUS, "backupGroups": {"15.1.2024": [ROW]}}),
    ("a-time-without-its-zone", "GET", "/api/backup/status", 200,
     {**STATUS, "backupGroups": {"2024-01-15": [{**ROW, "lastModified": "2024-01-15T02:00:00"}]}}),
    ("a-code-of-no-list", "POST", "/api/backup/trigger", 500, {**PROBLEM, "code": "oops"}),
    ("a-problem-that-is-a-success", "POST", "/api/backup/trigger", 500, {**PROBLEM, "success": True}),
    ("a-status-that-is-not-described", "GET", "/api/backup/status", 201, STATUS),
    ("a-good-answer-to-an-unknown-path", "GET", "/api/backup/no/such", 200, {}),
]


def good_case(name, method, target, status, reply):
    @case(f"/openapi/judge/takes/{name}")
    def _():
        description.check(method, target, status, "application/json", json.dumps(reply).encode())


def bad_case(name, method, target, status, reply):
    @case(f"/openapi/judge/refuses/{name}")
    def _():
        try:
            description.check(method, target, status, "application/json", json.dumps(reply).encode())
        except AssertionError:
            return
        raise RuntimeError("it was taken")


for row in GOOD:
    good_case(*row)
for row in BAD:
    bad_case(*row)


@case("/openapi/judge/refuses/another-content-type")
def _():
    try:
        description.check("GET", "/api/backup/status", 200, "text/html", json.dumps(STATUS).encode())
    except AssertionError:
        return
    raise RuntimeError("it was taken")


run()

#!/usr/bin/env python3
"""docs/openapi.yaml as a judge of replies.

    from openapi import description
    description.check("GET", "/api/backup/status?x=1", 200, "application/json", body)    # AssertionError says what is wrong
"""
import json
import pathlib
import re
import urllib.parse

import jsonschema
import yaml

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"


class Description:
    def __init__(self, document):
        self.document = document
        self.templates = sorted(((self.pattern(path), path) for path in document["paths"]), key=lambda row: "{" in row[1])

    @staticmethod
    def pattern(template):
        """{key} stands for the rest of the path, every other name for one segment."""
        parts = re.split(r"(\{\w+\})", template)
        return re.compile("".join(".+" if part == "{key}" else "[^/]+" if part.startswith("{") else re.escape(part)
                                  for part in parts))

    def resolve(self, reference):
        """What "#/components/..." stands for; KeyError where it leads nowhere."""
        item = self.document
        for name in reference.removeprefix("#/").split("/"):
            item = item[name]
        return item

    def follow(self, item):
        while "$ref" in item:
            item = self.resolve(item["$ref"])
        return item

    def template_of(self, target):
        path = urllib.parse.urlsplit(target).path
        return next((name for pattern, name in self.templates if pattern.fullmatch(path)), None)

    def response(self, method, target, status):
        """The description of a reply; a Problem where path or method is not one of ours."""
        item = self.document["paths"].get(self.template_of(target), {})
        operation = item.get("get" if method == "HEAD" else method.lower())
        if operation is None:
            assert status >= 400, f"{method} {target}: {status} for what is not described"
            return self.document["components"]["responses"]["Problem"]
        responses = operation["responses"]
        assert str(status) in responses or status >= 400, f"{method} {target}: status {status} is not described"
        return self.follow(responses.get(str(status), responses["default"]))

    def validate(self, value, schema, what):
        # References lead to the root of what the validator is given.
        root = {"components": self.document["components"], "allOf": [schema]}
        validator = jsonschema.Draft202012Validator(root)
        errors = sorted(validator.iter_errors(value), key=lambda error: list(map(str, error.path)))
        assert not errors, "; ".join(f"{what}: {'/'.join(map(str, e.path))}: {e.message[:300]}" for e in errors[:3])

    def check(self, method, target, status, content_type, body):
        """AssertionError where a reply is not as described.  body is bytes."""
        what = f"{method} {target} -> {status}"
        content = self.response(method, target, status).get("content")
        if method == "HEAD" or content is None:
            assert not body, f"{what}: no body is described: {body[:200]!r}"
            return
        media = (content_type or "").split(";")[0].strip()
        described = content.get(media, content.get("*/*"))
        assert described is not None, f"{what}: content type {media!r} is not described"
        if "schema" in described:
            self.validate(json.loads(body), described["schema"], what)

    def operations(self):
        """(METHOD, template) of all that is described."""
        return [(method.upper(), path) for path, item in self.document["paths"].items()
                for method in item if method != "parameters"]


def load():
    with open(DOCS / "openapi.yaml", encoding="utf-8") as text:
        return yaml.safe_load(text)


description = Description(load())

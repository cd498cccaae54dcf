"""Compares answers of the resource manager with the descriptions of its API (conformance/specs), field by field.

    check.py RECORD LEAST     RECORD has a line of JSON for each answer; at least LEAST operations must be among them

An answer must have a status its operation knows; each field must be known there and of the right type, dates must be dates,
and what is required must be there. Standard library only.
"""
import collections
import datetime
import json
import pathlib
import re
import sys
import urllib.parse

SPECS = pathlib.Path(__file__).parent.parent / "specs"
# Fields that Azure answers and its published clients do not model: (operation or *, pattern of the field's path).
BEYOND = [
    # The agent signs its assertions in this name, and learns it from the machine it has made.
    ("*", r"(\.value\[\])?\.identity\.clientId"),
    # Azure says how many there are.
    ("Subscriptions_list", r"\.count"),
    # The clients take whatever it is: rows as objects, or a table.
    ("ResourceGraphClientMixin_resources", r"\.data"),
]
SECONDS = re.compile(r"(\.\d+)(?=Z|[+-]\d\d:\d\d$)")


class Operation:
    def __init__(self, path, method, description, definitions):
        self.method, self.description, self.definitions = method.upper(), description, definitions
        self.name = description["operationId"]
        pattern = re.sub(r"\\\{resourceId\\\}", "(?:[^?]*/providers/[^/]+(?:/[^/]+/[^/]+)+)", re.escape(path.rstrip("/")))
        pattern = re.sub(r"\\\{scope\\\}", "(?:[^?]+)", pattern)
        pattern = re.sub(r"\\\{\w+\\\}", "(?:[^/]+)", pattern)
        self.pattern = re.compile(pattern + "/?", re.IGNORECASE)
        # Of the operations that fit, the one with the most words of its own is meant.
        self.weight = len(re.sub(r"\{\w+\}", "", path))


def operations():
    found = []
    for file in sorted(SPECS.glob("*.json")):
        document = json.loads(file.read_text())
        for path, methods in document["paths"].items():
            found += [Operation(path, m, d, document["definitions"]) for m, d in methods.items()]
    return sorted(found, key=lambda operation: -operation.weight)


class Comparison:
    """One answer beside its operation."""

    def __init__(self, operation):
        self.operation, self.faults = operation, []

    def answer(self, status, body):
        responses = self.operation.description["responses"]
        if status >= 400 and str(status) not in responses:
            return self.error(body)
        if str(status) not in responses:
            return self.fault("", f"status {status} instead of {', '.join(responses)}")
        schema = responses[str(status)].get("schema")
        if schema and body:
            self.value(schema, json.loads(body), "")
        elif schema and status == 200 and "DELETE" != self.operation.method:
            self.fault("", "no body")

    def error(self, body):
        """Every error is an object with code and message (HEAD has no body)."""
        if self.operation.method == "HEAD":
            return
        error = json.loads(body).get("error", {})
        if not all(isinstance(error.get(name), str) and error[name] for name in ("code", "message")):
            self.fault("", f"an error without code and message: {body[:120]}")

    def fault(self, at, what):
        if not any(name in ("*", self.operation.name) and re.fullmatch(pattern, at) for name, pattern in BEYOND):
            self.faults.append((self.operation.name, at, what))

    def value(self, schema, value, at):
        schema = self.whole(schema)
        if value is None:
            return
        kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}
        kind = kinds.get(schema.get("type"))
        if kind and (not isinstance(value, kind) or isinstance(value, bool) and kind is not bool):
            return self.fault(at, f"{type(value).__name__} instead of {schema['type']}")
        if isinstance(value, dict):
            self.members(schema, value, at)
        elif isinstance(value, list):
            for item in value:
                self.value(schema.get("items", {}), item, f"{at}[]")
        elif isinstance(value, str):
            self.text(schema, value, at)

    def members(self, schema, value, at):
        known, others = schema.get("properties"), schema.get("additionalProperties")
        for name, member in value.items():
            if name in (known or {}):
                self.value(known[name], member, f"{at}.{name}")
            elif isinstance(others, dict):
                self.value(others, member, f"{at}.*")
            elif known and not others:
                self.fault(f"{at}.{name}", "is not in the description")
        for name in schema.get("required", []):
            if value.get(name) is None:
                self.fault(f"{at}.{name}", "is missing")

    def text(self, schema, value, at):
        if schema.get("format") == "date-time":
            try:
                datetime.datetime.fromisoformat(SECONDS.sub("", value).replace("Z", "+00:00"))
            except ValueError:
                self.fault(at, f"{value!r} is no date")
        if "enum" in schema and not schema.get("x-ms-enum", {}).get("modelAsString") and value not in schema["enum"]:
            self.fault(at, f"{value!r} is none of {schema['enum']}")

    def whole(self, schema):
        """The schema with what it refers to and is made of."""
        if "$ref" in schema:
            schema = self.operation.definitions[schema["$ref"].rpartition("/")[2]]
        parts = [self.whole(part) for part in schema.get("allOf", [])]
        if not parts:
            return schema
        merged = {"type": "object", "properties": {}, "required": []}
        for part in [*parts, schema]:
            merged["properties"] |= part.get("properties", {})
            merged["required"] += part.get("required", [])
            if "additionalProperties" in part:
                merged["additionalProperties"] = part["additionalProperties"]
        return merged


def main(record, least):
    known, seen, faults, answers = operations(), collections.Counter(), {}, 0
    for line in pathlib.Path(record).read_text().splitlines():
        exchange = json.loads(line)
        path = urllib.parse.urlsplit(exchange["url"]).path
        path = re.sub(r"/{2,}", "/", urllib.parse.unquote(path))
        operation = next((o for o in known if o.method == exchange["method"] and o.pattern.fullmatch(path)), None)
        if operation is None:
            continue
        answers, seen[operation.name] = answers + 1, seen[operation.name] + 1
        comparison = Comparison(operation)
        comparison.answer(exchange["status"], exchange["body"])
        for fault in comparison.faults:
            faults.setdefault(fault, f"{exchange['method']} {exchange['url']}")
    for (name, at, what), where in sorted(faults.items()):
        print(f"FAILED  {name}: {at or 'the answer'} {what}\n        {where}")
    missing = sorted({o.name for o in known} - set(seen))
    print(f"fields: {answers} answers of {len(seen)} operations compared; not among them: {', '.join(missing) or 'none'}")
    if faults or len(seen) < int(least):
        sys.exit(f"fields: {len(faults)} differ, {len(seen)} operations of at least {least}")


if __name__ == "__main__":
    main(*sys.argv[1:])

#!/usr/bin/env python3
"""The matrix of docs/compatibility.md, from the lines that ask.* print.

    table.py RESULTS DOCUMENT             writes the table into the document
    table.py --check RESULTS DOCUMENT     fails where the document says otherwise

Rows of clients that this machine could not run stay as they are.
"""
import difflib
import sys

BEGIN, END = "<!-- matrix: written by conformance/matrix/table.py -->", "<!-- end of matrix -->"
HEAD = ["client", "source", "its own", "client id", "object id", "resource id", "default chain"]
SOURCES = {"arc": "HIMDS", "imds": "IMDS", "app-service": "App Service", "cloud-shell": "Cloud Shell",
           "workload": "workload identity"}


def main():
    check = "--check" in sys.argv
    results, document = [a for a in sys.argv[1:] if a != "--check"]
    with open(document, encoding="utf-8") as file:
        text = file.read()
    before, rest = text.split(BEGIN)
    known, after = rest.split(END)
    rows = read(known)
    with open(results, encoding="utf-8") as file:
        for line in filter(None, map(str.strip, file)):
            client, source, *cells = line.split("\t")
            assert len(cells) == 5 and source in SOURCES, f"no line of results: {line}"
            rows[client, SOURCES[source]] = cells
    new = f"{before}{BEGIN}\n{written(rows)}{END}{after}"
    if check and new != text:
        print("docs/compatibility.md says otherwise than this run (left) found (right):")
        print("\n".join(difflib.unified_diff(text.splitlines(), new.splitlines(), lineterm="")))
        sys.exit(1)
    if not check:
        with open(document, "w", encoding="utf-8") as file:
            file.write(new)


def read(table):
    rows = {}
    for line in table.strip().splitlines()[2:]:
        client, source, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        rows[client, source] = cells
    return rows


def written(rows):
    order = list(SOURCES.values())
    lines = ["| " + " | ".join(HEAD) + " |", "| " + " | ".join(["---"] * len(HEAD)) + " |"]
    for client, source in sorted(rows, key=lambda key: (key[0], order.index(key[1]))):
        lines.append("| " + " | ".join([client, source, *rows[client, source]]) + " |")
    return "\n".join(lines) + "\n"


main()

#!/usr/bin/env python3
"""The tables of docs/compatibility.md, from the lines that ask.* and patience.* print.

    table.py RESULTS DOCUMENT             writes the tables into the document
    table.py --check RESULTS DOCUMENT     fails where the document says otherwise

Rows of clients that this machine could not run stay as they are.
"""
import difflib
import sys

SOURCES = {"arc": "HIMDS", "arc-file": "HIMDS by its file", "imds": "IMDS", "app-service": "App Service", "cloud-shell": "Cloud Shell",
           "workload": "workload identity"}
PATIENCE = {"again": "asks anew for a token of a day", "nothing": "says that there is no identity",
            "away": "says that HIMDS is away"}
# By the mark before it; the columns of the key come first, and rows stand in the order of these.
TABLES = {
    "matrix": (["client", "source"], ["its own", "client id", "object id", "resource id", "default chain", "chain, AZURE_CLIENT_ID"]),
    "patience": (["client"], list(PATIENCE.values())),
}


def main():
    check = "--check" in sys.argv
    results, document = [a for a in sys.argv[1:] if a != "--check"]
    with open(document, encoding="utf-8") as file:
        text = file.read()
    with open(results, encoding="utf-8") as file:
        found = read_results(filter(None, map(str.strip, file)))
    new = text
    for name, (keys, columns) in TABLES.items():
        begin, end = f"<!-- {name}: written by conformance/matrix/table.py -->", f"<!-- end of {name} -->"
        above, rest = new.split(begin)
        known, below = rest.split(end)
        rows = read_table(known, len(keys))
        for key, cells in found[name].items():
            before = dict(zip(columns, rows.get(key, [])))
            rows[key] = [cells.get(column, before.get(column, "?")) for column in columns]
        new = f"{above}{begin}\n{written(keys + columns, rows)}{end}{below}"
    if check and new != text:
        print("docs/compatibility.md says otherwise than this run (left) found (right):")
        print("\n".join(difflib.unified_diff(text.splitlines(), new.splitlines(), lineterm="")))
        sys.exit(1)
    if not check:
        with open(document, "w", encoding="utf-8") as file:
            file.write(new)


def read_results(lines):
    found = {name: {} for name in TABLES}
    for line in lines:
        client, what, *cells = line.split("\t")
        if what in PATIENCE:
            (cell,) = cells
            found["patience"].setdefault((client,), {})[PATIENCE[what]] = VERDICTS[what](cell)
        else:
            columns = TABLES["matrix"][1]
            assert len(cells) == len(columns) and what in SOURCES, f"no line of results: {line}"
            found["matrix"][client, SOURCES[what]] = dict(zip(columns, cells))
    return found


def again(counts):
    """When a client asks, from how often it did at 0, 0, 11, 13 and 23.95 hours."""
    first, at_once, before_half, after_half, at_end = map(int, counts.split())
    assert first and (after_half or at_end), f"no token at the beginning, or none at the end: {counts}"
    if at_once:
        return "every time"
    assert not before_half, f"asked before half of the life was over: {counts}"
    return "after half of it" if after_half else "shortly before its end"


def nothing(seconds):
    return "within a second" if float(seconds) < 1 else "later"


VERDICTS = {"again": again, "nothing": nothing, "away": nothing}


def read_table(table, keys):
    rows = {}
    for line in table.strip().splitlines()[2:]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        rows[tuple(cells[:keys])] = cells[keys:]
    return rows


def written(head, rows):
    order = {name: number for number, name in enumerate(SOURCES.values())}
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join(["---"] * len(head)) + " |"]
    for key in sorted(rows, key=lambda key: [order.get(part, part) for part in key]):
        lines.append("| " + " | ".join([*key, *rows[key]]) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

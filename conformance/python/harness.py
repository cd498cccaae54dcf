"""What every case file shares: the prepared site, and a runner that says which case failed and why."""
import json
import os
import sys
import traceback

with open(os.environ["COUNTERSIGN_PREPARED"], encoding="utf-8") as _file:
    SITE = json.load(_file)

CASES = []


def case(function):
    """Marks a function as a case; its name is what is printed."""
    CASES.append(function)
    return function


def refused(kind, status, action):
    """`action` must raise `kind` with this HTTP status; returns the error."""
    try:
        action()
    except kind as error:
        assert error.status_code == status, f"status {error.status_code} instead of {status}: {error}"
        return error
    raise AssertionError(f"was allowed, but {status} was due")


def main():
    """Runs the cases of the file that calls it; the exit code says whether all passed."""
    failed = 0
    where = os.path.basename(sys.argv[0])
    for function in CASES:
        name = f"{where}: {function.__name__.replace('_', ' ')}"
        try:
            function()
            print(f"ok      {name}", flush=True)
        except Exception:  # noqa: BLE001 - whatever it is, it is this case's failure
            failed += 1
            print(f"FAILED  {name}\n{traceback.format_exc()}", flush=True)
    sys.exit(1 if failed else 0)

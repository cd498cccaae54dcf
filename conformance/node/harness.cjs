// What every case file shares: the prepared site, and a runner that says which case failed and why.
const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");

const SITE = JSON.parse(fs.readFileSync(process.env.COUNTERSIGN_PREPARED, "utf8"));
const cases = [];

/** Adds a case; `name` is what is printed. */
function test(name, run) {
  cases.push({ name, run });
}

/** `action` must be answered with this HTTP status; resolves to the error. */
async function refused(status, action) {
  try {
    await action();
  } catch (error) {
    assert.equal(error.statusCode, status, `${error.message}`);
    return error;
  }
  assert.fail(`was allowed, but ${status} was due`);
}

/** Runs the cases one after the other; the exit code says whether all passed. */
async function main() {
  const where = path.basename(process.argv[1]);
  for (const { name, run } of cases) {
    try {
      await run();
      console.log(`ok      ${where}: ${name}`);
    } catch (error) {
      process.exitCode = 1;
      console.log(`FAILED  ${where}: ${name}\n${error.stack}`);
    }
  }
}

module.exports = { SITE, assert, test, refused, main };

// node-postgres: the password is a function that asks for a token, by @azure/identity, as the machine.
"use strict";
const assert = require("node:assert");
const fs = require("node:fs");
const { Pool, Client } = require("pg");
const { ManagedIdentityCredential } = require("@azure/identity");

const scope = "https://ossrdbms-aad.database.windows.net/.default";
const credential = new ManagedIdentityCredential();
const host = process.env.PGHOST;
const settings = {
  host,
  database: process.env.PGDATABASE,
  user: process.env.PGUSER,
  password: async () => (await credential.getToken(scope)).token,
  ssl: { ca: fs.readFileSync(process.env.PGSSLROOTCERT), servername: host },
};
// It would go before the function.
delete process.env.PGPASSWORD;
delete process.env.PGSSLMODE;
delete process.env.PGSSLROOTCERT;

async function main() {
  const pool = new Pool({ ...settings, max: 4 });
  const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => pool.query("SELECT $1::int AS n", [n])));
  assert.strictEqual(answers.reduce((sum, a) => sum + a.rows[0].n, 0), 4950);
  const who = await pool.query("SELECT current_user AS who");
  assert.strictEqual(who.rows[0].who, settings.user);
  console.log(`node pg: ${who.rows[0].who}`);
  await pool.end();

  const other = new Client({ ...settings, user: "Data Team" });
  await assert.rejects(other.connect(), { code: "28P01" });
  console.log("node pg: another's role is refused with 28P01");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});

"""Drivers for Python: each logs in with a token that it asks for itself, by azure-identity, as the machine.

PGHOST, PGDATABASE, PGUSER, PGSSLROOTCERT name the server; the password comes from a callback where the driver has one.
"""
import asyncio
import os
import ssl

import asyncpg
import psycopg
import sqlalchemy
from azure.identity import ManagedIdentityCredential

SCOPE = "https://ossrdbms-aad.database.windows.net/.default"
HOST, DATABASE, USER = os.environ["PGHOST"], os.environ["PGDATABASE"], os.environ["PGUSER"]
CA = os.environ["PGSSLROOTCERT"]
credential = ManagedIdentityCredential()
# libpq would take it for the driver.
os.environ.pop("PGPASSWORD", None)


def token():
    return credential.get_token(SCOPE).token


def expect(what, found, wanted):
    assert found == wanted, f"{what}: found {found!r} instead of {wanted!r}"
    print(f"{what}: {found}")


def with_psycopg():
    with psycopg.connect(password=token(), sslmode="verify-full") as connection:
        expect("psycopg", connection.execute("SELECT current_user").fetchone(), (USER,))
        with connection.pipeline():
            rows = [connection.execute("SELECT %s::int", (n,)) for n in range(100)]
        expect("psycopg, pipelined", sum(row.fetchone()[0] for row in rows), 4950)
        connection.execute("CREATE TEMP TABLE t (a int)")
        with connection.cursor().copy("COPY t FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["int4"])
            for n in range(10_000):
                copy.write_row((n,))
        expect("psycopg, copied", connection.execute("SELECT count(*) FROM t").fetchone(), (10_000,))
        try:
            connection.execute("SELECT 1/0")
        except psycopg.errors.DivisionByZero as error:
            expect("psycopg, the server's error", error.sqlstate, "22012")
    try:
        psycopg.connect(password=token(), sslmode="verify-full", user="Data Team")
    except psycopg.OperationalError as error:
        assert 'password authentication failed for user "Data Team"' in str(error), error
        print("psycopg: another's role is refused")
    else:
        raise AssertionError("another's role was let in")


async def with_asyncpg():
    trust = ssl.create_default_context(cafile=CA)
    pool = await asyncpg.create_pool(
        host=HOST, database=DATABASE, user=USER, password=token, ssl=trust, min_size=1, max_size=8)
    async with pool:
        answers = await asyncio.gather(*(pool.fetchval("SELECT $1::int * 2", n) for n in range(200)))
        expect("asyncpg, a pool", sum(answers), 39_800)
        async with pool.acquire() as connection:
            try:
                await asyncio.wait_for(connection.execute("SELECT pg_sleep(60)"), 0.5)
            except asyncio.TimeoutError:
                print("asyncpg: a query was cancelled")
            else:
                raise AssertionError("the query was not cancelled")
            expect("asyncpg, after it", await connection.fetchval("SELECT current_user"), USER)


def with_sqlalchemy():
    engine = sqlalchemy.create_engine(
        f"postgresql+psycopg://{USER}@{HOST}/{DATABASE}", connect_args={"sslmode": "verify-full"})

    @sqlalchemy.event.listens_for(engine, "do_connect")
    def provide_token(_dialect, _record, _arguments, parameters):
        parameters["password"] = token()

    with engine.begin() as connection:
        expect("SQLAlchemy", connection.execute(sqlalchemy.text("SELECT session_user")).scalar(), USER)
    engine.dispose()


with_psycopg()
asyncio.run(with_asyncpg())
with_sqlalchemy()

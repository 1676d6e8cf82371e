#!/usr/bin/env python3
"""A database brought back in every way there is: over several connections, beside a live one, in its place, table by table.
Stock pg_dump of both sides is the judge."""
import os
import re
import signal
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from awkward import AWKWARD, ROWS  # noqa: E402
from tap import case, run  # noqa: E402
from world import Bucket, World, fresh_database, pg_env, plain_dump, psql, url, wait_for  # noqa: E402

SMALL = """CREATE TABLE t (i serial PRIMARY KEY, a text); CREATE INDEX t_a ON t (a);
           INSERT INTO t (a) SELECT 'row ' || i FROM generate_series(1, 1000) i"""
INDEXED = """CREATE TABLE big (id bigint PRIMARY KEY, parent bigint, filler text NOT NULL, kind int NOT NULL);
INSERT INTO big SELECT i, 1 + i / 2, repeat(md5(i::text), 1 + i % 7), i % 10 FROM generate_series(1, 250000) i;
CREATE TABLE small (id int PRIMARY KEY, word text UNIQUE); INSERT INTO small SELECT i, 'w' || i FROM generate_series(0, 9) i;
CREATE TABLE tall (line text); INSERT INTO tall SELECT repeat('x', 3000000 * i) FROM generate_series(1, 8) i;
CREATE INDEX big_parent ON big (parent); CREATE INDEX big_kind ON big (kind) WHERE kind > 3;
COMMENT ON INDEX big_kind IS 'one of them'; CREATE INDEX ON small (lower(word));
ALTER TABLE big CLUSTER ON big_parent; ALTER TABLE big ADD EXCLUDE USING btree (id WITH =);
ALTER TABLE big ADD FOREIGN KEY (parent) REFERENCES big; ALTER TABLE big ADD FOREIGN KEY (kind) REFERENCES small;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'a trigger fired'; END $$;
CREATE TRIGGER noted BEFORE INSERT ON big FOR EACH ROW EXECUTE FUNCTION note();
CREATE MATERIALIZED VIEW sums AS SELECT kind, count(*) FROM big GROUP BY kind; CREATE UNIQUE INDEX ON sums (kind)"""
# Checks and generated columns that look at other tables, though they say that they do not; a body with semicolons in it.
ORDERED = """CREATE TABLE a_rules (word text); INSERT INTO a_rules VALUES ('good');
CREATE FUNCTION is_good(text) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM public.a_rules WHERE word = $1)';
CREATE TABLE b_checked (word text CHECK (is_good(word))); INSERT INTO b_checked SELECT 'good' FROM generate_series(1, 20000);
CREATE DOMAIN good AS text CHECK (is_good(VALUE)); CREATE TABLE c_domain (word good); INSERT INTO c_domain VALUES ('good');
CREATE FUNCTION two() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;
CREATE TABLE keyed (id int PRIMARY KEY, v int);
CREATE FUNCTION grouped() RETURNS SETOF int LANGUAGE sql BEGIN ATOMIC SELECT v FROM keyed GROUP BY id; SELECT 1; END;
CREATE VIEW grouping AS SELECT id, v FROM keyed GROUP BY id; INSERT INTO keyed VALUES (1, 2)"""


def sorted_dump(database):
    """The dump with the rows of each table in order: pieces of a table that are copied side by side lie in another one."""
    out, rows = [], None
    for line in plain_dump(database).split(b"\n"):
        if rows is None:
            out.append(line)
            if line.startswith(b"COPY ") and line.endswith(b" FROM stdin;"):
                rows = []
        elif line == b"\\.":
            out.extend(sorted(rows) + [line])
            rows = None
        else:
            rows.append(line)
    return out


def backed_up(database, **env):
    world = World(database)
    world.env.update(env)
    done = world.run("--json", "backup", "database")
    assert done.code == 0, done
    world.set = done.json["set"]
    return world


def drop(*names):
    for name in names:
        quoted = name.replace('"', '""')
        psql("postgres", f'DROP DATABASE IF EXISTS "{quoted}" WITH (FORCE)')


def like(pattern):
    """Names of the databases that are like a pattern."""
    return psql("postgres", f"SELECT datname FROM pg_database WHERE datname ~ '{pattern}' ORDER BY 1").splitlines()


def owner_url(role, database):
    return url(database, role, "pw")


def login(role, options=""):
    psql("postgres", f"DO $$ BEGIN CREATE ROLE {role}; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    psql("postgres", f"ALTER ROLE {role} LOGIN NOSUPERUSER NOCREATEDB PASSWORD 'pw' {options}")
    return role


# ---- over several connections ----

PARALLEL = [
    ("awkward", ROWS + ";" + AWKWARD, {}),
    ("awkward-zstd-in-parts", ROWS + ";" + AWKWARD, {"BACKUP_COMPRESSION": "zstd", "ARCHIVE_BYTES": "1M"}),
    ("indexed", INDEXED, {}),
    ("checks-that-look-at-other-tables", ORDERED, {}),
    ("nothing-at-all", "SELECT 1", {}),
    ("no-rows", "CREATE TABLE t (a int PRIMARY KEY)", {}),
]


def parallel_case(name, sql, env):
    @case(f"/restore/jobs/{name}-is-equal-to-stock")
    def _():
        with backed_up(fresh_database("e2e_jobs", sql), **env) as world:
            keys = [key for key in world.store_files() if ".sql." in key and "globals" not in key]
            archives = " ".join(f"'{key}'" for key in sorted(keys, key=lambda key: (".part" in key, key)))
            unpack = "unzstd -c" if "zst" in archives else "gunzip -c"
            fresh_database("e2e_jobs_stock")
            pipe = f"{unpack} {archives} | psql -qX -v ON_ERROR_STOP=1 >/dev/null"
            subprocess.run(["bash", "-o", "pipefail", "-c", pipe], cwd=world.env["BACKUP_DIR"],
                           env=pg_env("e2e_jobs_stock"), check=True)
            for jobs in (2, 5):
                drop("e2e_jobs_back")
                done = world.run("--json", "restore", "database", "latest", "--create", "--jobs", str(jobs), "--to",
                                 url("e2e_jobs_back"))
                assert done.code == 0, done
                assert done.json["connections"] == (jobs if "serial_reason" not in done.json else 1), done
                assert sorted_dump("e2e_jobs_back") == sorted_dump("e2e_jobs_stock")
                psql("e2e_jobs_back", "SELECT lo_get(oid) FROM pg_largeobject_metadata")
            again = world.run("--json", "backup", "database", DB_NAME="e2e_jobs_back")
            difference = world.run("--json", "show", again.json["set"], "--tables")
            original = world.run("--json", "show", world.set, "--tables")
            assert [row for row in difference.json["tables"]] == [row for row in original.json["tables"]]


for row in PARALLEL:
    parallel_case(*row)


@case("/restore/jobs/from-a-bucket")
def _():
    bucket = Bucket("restore-of-holdfast")
    with backed_up(fresh_database("e2e_jobs", INDEXED), **bucket.settings()) as world:
        drop("e2e_jobs_back")
        done = world.run("--json", "restore", "database", "latest", "--create", "--jobs", "3", "--to", url("e2e_jobs_back"))
        assert done.code == 0 and done.json["connections"] == 3, done
        assert sorted_dump("e2e_jobs_back") == sorted_dump("e2e_jobs")


@case("/restore/jobs/what-cannot-be-taken-apart-goes-by-psql-and-says-so")
def _():
    with backed_up(fresh_database("e2e_jobs", SMALL), BACKUP_COMPRESSION="none") as world:
        drop("e2e_jobs_back")
        done = world.run("--json", "restore", "database", "latest", "--create", "--jobs", "3", "--to", url("e2e_jobs_back"))
        assert done.code == 0 and done.json["connections"] == 1 and "checksums" in done.json["serial_reason"], done
        assert plain_dump("e2e_jobs_back") == plain_dump("e2e_jobs")


@case("/restore/jobs/rows-of-one-table-in-two-blocks-are-all-restored")
def _():
    # Hash partitions by an enum are dumped through their root: one COPY of the same name for each.
    # Of so many values some fall into each.
    values = ", ".join(f"'m{i}'" for i in range(24))
    sql = f"""CREATE TYPE mood AS ENUM ({values}); CREATE TABLE moods (m mood, v text) PARTITION BY HASH (m);
             CREATE TABLE moods_0 PARTITION OF moods FOR VALUES WITH (MODULUS 2, REMAINDER 0);
             CREATE TABLE moods_1 PARTITION OF moods FOR VALUES WITH (MODULUS 2, REMAINDER 1);
             INSERT INTO moods SELECT ('m' || i % 24)::mood, 'row ' || i FROM generate_series(1, 3000) i"""
    with backed_up(fresh_database("e2e_jobs", sql)) as world:
        text = world.run("cat", "latest").out
        assert text.count("COPY public.moods (") == 2, "this pg_dump writes them otherwise: the case proves nothing"
        drop("e2e_jobs_back")
        done = world.run("--json", "restore", "database", "latest", "--create", "--jobs", "2", "--to", url("e2e_jobs_back"))
        assert done.code == 0 and done.json["rows"] == 3000, done
        # A hash of an enum's value differs between databases, so rows may lie in other partitions: that is why.
        question = "SELECT count(*), md5(string_agg(moods::text, ',' ORDER BY moods::text)) FROM moods"
        assert psql("e2e_jobs_back", question) == psql("e2e_jobs", question)
        fresh_database("e2e_table")
        alone = world.run("restore", "database", "latest", "--table", "moods", "--to", url("e2e_table"))
        assert alone.code == 1 and "more than one place" in alone.err, alone


# ---- beside a live database ----

def with_live(name, sql=SMALL):
    drop(name)
    psql("postgres", f"""CREATE DATABASE "{name.replace('"', '""')}" TEMPLATE template0""")
    psql(name, sql)
    return backed_up(name)


def clean_up(name, world):
    world.close()
    drop(name)
    prefix = name.encode()[:30].decode("utf-8", "ignore").replace("'", "''")
    for other in psql("postgres", f"SELECT datname FROM pg_database WHERE starts_with(datname, '{prefix}')").splitlines():
        drop(other)


SWAPPED = [("plain", "e2e_swap"), ("upper-case", "E2E Swap"), ("quotes", 'e2e"sw\'ap\\'), ("unicode", "e2e_bücher_画像"),
           ("longest", "e2e_" + "x" * 59), ("longest-of-unicode", "e2e_" + "画" * 19 + "__")]


def swap_case(what, name):
    @case(f"/restore/swap/a-name-{what}")
    def _():
        assert len(name.encode()) <= 63
        world = with_live(name)
        psql(name, "DELETE FROM t; CREATE TABLE newer (a int)")
        done = world.run("--json", "restore", "database", "latest", "--swap", "--confirm", name)
        assert done.code == 0 and done.json["rows"] == 1000, done
        old = done.json["old_database"]
        assert len(old.encode()) <= 63 and "_before_" in old, old
        assert psql(name, "SELECT count(*) FROM t") == "1000"
        assert psql(old, "SELECT count(*) FROM newer") == "0"
        assert psql(name, "SELECT to_regclass('newer') IS NULL") == "t"
        clean_up(name, world)


for row in SWAPPED:
    swap_case(*row)


@case("/restore/swap/owner-privileges-settings-and-comment-are-carried-over")
def _():
    world = with_live("e2e_swap")
    login("e2e_owner")
    login("e2e_guest")
    psql("postgres", """ALTER DATABASE e2e_swap OWNER TO e2e_owner; REVOKE ALL ON DATABASE e2e_swap FROM PUBLIC;
        GRANT CONNECT ON DATABASE e2e_swap TO e2e_guest WITH GRANT OPTION; ALTER DATABASE e2e_swap CONNECTION LIMIT 44;
        ALTER DATABASE e2e_swap SET search_path TO "$user", public, "we ird"; ALTER DATABASE e2e_swap SET work_mem TO '5MB';
        ALTER DATABASE e2e_swap SET my.word TO 'it''s "so"'; ALTER ROLE e2e_guest IN DATABASE e2e_swap SET work_mem TO '6MB';
        COMMENT ON DATABASE e2e_swap IS 'it''s ours'""")
    question = """SELECT pg_get_userbyid(datdba), (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(datacl) a),
        datconnlimit, shobj_description(oid, 'pg_database'),
        (SELECT string_agg(setrole || setconfig::text, ',' ORDER BY setrole) FROM pg_db_role_setting WHERE setdatabase = d.oid)
        FROM pg_database d WHERE datname = '{}'"""
    before = psql("postgres", question.format("e2e_swap"))
    assert "e2e_owner" in before and "we ird" in before and "6MB" in before, before
    done = world.run("--json", "restore", "database", "latest", "--swap", "--confirm", "e2e_swap")
    assert done.code == 0, done
    assert psql("postgres", question.format("e2e_swap")) == before
    assert psql("postgres", question.format(done.json["old_database"])) == before
    clean_up("e2e_swap", world)
    psql("postgres", "DROP ROLE e2e_owner; DROP ROLE e2e_guest")


@case("/restore/swap/under-sessions-that-come-again-and-again")
def _():
    world = with_live("e2e_swap")
    stop, seen = threading.Event(), []

    def use():
        while not stop.is_set():
            done = subprocess.run(["psql", "-qXAt", "-c", "SELECT count(*) FROM t; SELECT pg_sleep(0.05)"],
                                  env=pg_env("e2e_swap"), capture_output=True, text=True, check=False)
            if done.returncode == 0:
                seen.append(done.stdout.strip())

    psql("e2e_swap", "DELETE FROM t WHERE i > 10")
    threads = [threading.Thread(target=use) for _ in range(4)]
    idle = subprocess.Popen(["psql", "-qX"], env=pg_env("e2e_swap"), stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    for thread in threads:
        thread.start()
    done = world.run("restore", "database", "latest", "--swap", "--confirm", "e2e_swap")
    stop.set()
    for thread in threads:
        thread.join()
    idle.kill()
    idle.wait()
    assert done.code == 0, done
    assert psql("e2e_swap", "SELECT count(*) FROM t") == "1000"
    assert set(seen) <= {"10", "1000"}, "neither the old nor the new database was seen: " + str(set(seen))
    clean_up("e2e_swap", world)


@case("/restore/swap/wants-the-right-name")
def _():
    world = with_live("e2e_swap")
    before = plain_dump("e2e_swap")
    for words, said in (([], "--confirm"), (["--confirm", "e2e_swop"], "e2e_swop"), (["--confirm", ""], "confirm")):
        for way in ("--swap", "--in-place"):
            done = world.run("restore", "database", "latest", way, *words)
            assert done.code == 2 and said in done.err and "e2e_swap" in done.err, done
    assert plain_dump("e2e_swap") == before and like("^e2e_swap") == ["e2e_swap"]
    clean_up("e2e_swap", world)


# ---- in the place of what is there ----

@case("/restore/in-place/nothing-of-the-old-is-left-and-large-objects-come-along")
def _():
    sql = ROWS + ";" + AWKWARD
    world = with_live("e2e_place", sql)
    expected = plain_dump("e2e_place")
    psql("e2e_place", """DROP TABLE t; CREATE SCHEMA other; CREATE TABLE other.x (a int); SELECT lo_create(0);
        DROP EXTENSION pgcrypto; CREATE EXTENSION citext; CREATE TABLE c (a citext); DROP TABLE no_rows;
        CREATE PUBLICATION p FOR TABLE c; CREATE FUNCTION et() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
        CREATE EVENT TRIGGER et ON ddl_command_start EXECUTE FUNCTION et()""")
    done = world.run("--json", "restore", "database", "latest", "--in-place", "--confirm", "e2e_place")
    assert done.code == 0 and done.json["replaced_tables"] > 5, done
    assert plain_dump("e2e_place") == expected
    clean_up("e2e_place", world)


@case("/restore/in-place/a-login-that-owns-the-database-and-may-not-create-one")
def _():
    login("e2e_owner")
    world = with_live("e2e_place")
    psql("postgres", "ALTER DATABASE e2e_place OWNER TO e2e_owner")
    psql("e2e_place", "ALTER TABLE t OWNER TO e2e_owner")
    world.env.update(DB_USER="e2e_owner", DB_PASSWORD="pw")
    made = world.run("--json", "backup", "database")
    assert made.code == 0, made
    expected = plain_dump("e2e_place")
    psql("e2e_place", "DELETE FROM t")
    swap = world.run("restore", "database", made.json["set"], "--swap", "--confirm", "e2e_place")
    assert swap.code == 1 and "CREATEDB" in swap.err, swap
    done = world.run("restore", "database", made.json["set"], "--in-place", "--confirm", "e2e_place")
    assert done.code == 0, done
    assert plain_dump("e2e_place") == expected
    clean_up("e2e_place", world)
    psql("postgres", "DROP ROLE e2e_owner")


# ---- what would stand in the way ----

@case("/restore/preflight/everything-at-once-and-nothing-is-done")
def _():
    sql = SMALL + """; CREATE EXTENSION pgcrypto; CREATE TABLE owned (a int); CREATE TABLE granted (a int);
        ALTER TABLE owned OWNER TO e2e_gone; GRANT SELECT ON granted TO "E2E Guest";
        CREATE POLICY p ON granted TO e2e_gone_too USING (true)"""
    for role in ("e2e_gone", '"E2E Guest"', "e2e_gone_too"):
        psql("postgres", f"DROP ROLE IF EXISTS {role}; CREATE ROLE {role}")
    with backed_up(fresh_database("e2e_flight", sql)) as world:
        drop("e2e_flight", "e2e_flight_back")
        psql("postgres", 'DROP ROLE e2e_gone; DROP ROLE "E2E Guest"; DROP ROLE e2e_gone_too')
        login("e2e_poor")
        target = owner_url("e2e_poor", "e2e_flight_back")
        for words in (["--preflight"], ["--dry-run"], []):
            done = world.run("--json", "restore", "database", "latest", "--create", "--to", target, *words)
            assert done.code == 1, done
            for said in ("E2E Guest", "e2e_gone", "e2e_gone_too", "CREATEDB", "holdfast cat", "globals | psql"):
                assert said in done.json["error"], (said, done)
            errors = [row["what"] for row in done.json["preflight"] if row["error"]]
            assert len(errors) >= 3, errors
        shown = world.run("restore", "database", "latest", "--create", "--to", target, "--preflight")
        assert len(re.findall("^FAIL  ", shown.out, re.M)) == len(errors), shown
        assert not like("^e2e_flight_back$")
        good = world.run("restore", "database", "latest", "--create", "--to", url("e2e_flight_back"), "--preflight")
        assert good.code == 1 and "CREATEDB" not in good.err and "e2e_gone" in good.err, good
    psql("postgres", "DROP ROLE e2e_poor")


@case("/restore/preflight/an-extension-that-the-server-lacks")
def _():
    share = subprocess.run(["pg_config", "--sharedir"], capture_output=True, text=True, check=True).stdout.strip()
    control, script = (os.path.join(share, "extension", f"holdfast_e2e{end}") for end in (".control", "--1.0.sql"))
    with open(control, "w", encoding="ascii") as file:
        file.write("default_version = '1.0'\n")
    with open(script, "w", encoding="ascii") as file:
        file.write("SELECT 1;\n")
    os.chmod(control, 0o644)
    os.chmod(script, 0o644)
    try:
        world = backed_up(fresh_database("e2e_flight", SMALL + "; CREATE EXTENSION holdfast_e2e"))
    finally:
        drop("e2e_flight")
        os.remove(control)
        os.remove(script)
    with world:
        done = world.run("restore", "database", "latest", "--create", "--to", url("e2e_flight_back"))
        assert done.code == 1 and "holdfast_e2e" in done.err and "package" in done.err, done
        assert not like("^e2e_flight_back$")
        going = world.run("restore", "database", "latest", "--create", "--skip-preflight", "--to", url("e2e_flight_back"))
        assert going.code == 1 and "going on" in going.err and "line " in going.err, going
        assert not like("^e2e_flight_back$")


@case("/restore/preflight/another-encoding-collation-and-psql")
def _():
    with backed_up(fresh_database("e2e_flight", SMALL)) as world:
        drop("e2e_flight_back")
        psql("postgres", "CREATE DATABASE e2e_flight_back TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'")
        done = world.run("--json", "restore", "database", "latest", "--to", url("e2e_flight_back"), "--preflight")
        assert done.code == 0, done
        warned = " ".join(row["what"] for row in done.json["preflight"])
        for said in ("LATIN1", "UTF8", "collation", "ctype"):
            assert said in warned, done
        folder = os.path.join(world.folder, "state", "bin")
        os.makedirs(folder)
        with open(os.path.join(folder, "psql"), "w", encoding="ascii") as fake:
            fake.write("#!/bin/sh\necho 'psql (PostgreSQL) 15.1 (Debian)'\n")
        os.chmod(os.path.join(folder, "psql"), 0o755)
        old = world.run("restore", "database", "latest", "--to", url("e2e_flight_back"), "--preflight", DB_BIN_DIR=folder)
        assert old.code == 1 and "\\restrict" in old.err and "postgresql-client" in old.err, old
        manifest = os.path.join(world.env["BACKUP_DIR"], f"backup_{world.set}.json")
        with open(manifest, encoding="utf-8") as file:
            text = file.read()
        with open(manifest, "w", encoding="utf-8") as file:
            file.write(re.sub(r'"server_version": *"[^"]*"', '"server_version": "99.1"', text))
        newer = world.run("restore", "database", "latest", "--to", url("e2e_flight_back"))
        assert newer.code == 1 and "99.1" in newer.err and "version" in newer.err, newer
        assert psql("e2e_flight_back", "SELECT to_regclass('t') IS NULL") == "t"


# ---- single tables ----

@case("/restore/table/is-as-it-was-and-reads-only-what-it-needs")
def _():
    filler = """; CREATE TABLE filler AS SELECT i, md5(i::text) || repeat(md5((i * 7)::text), 8) AS f
                FROM generate_series(1, 150000) i; CREATE TABLE zz (a int REFERENCES t)"""
    with backed_up(fresh_database("e2e_table_from", SMALL + filler)) as world:
        fresh_database("e2e_table")
        done = world.run("--json", "restore", "database", "latest", "--table", "public.t", "--to", url("e2e_table"))
        assert done.code == 0 and done.json["rows"] == 1000, done
        plain = world.run("--json", "show", "latest").json["manifest"]["database"]["archive"]["plain_bytes"]
        assert plain > 40_000_000 and done.json["read_bytes"] < 10_000_000, (plain, done)
        only = subprocess.run(["pg_dump", "-t", "public.t"], env=pg_env("e2e_table_from"), capture_output=True, check=True).stdout
        back = subprocess.run(["pg_dump", "-t", "public.t"], env=pg_env("e2e_table"), capture_output=True, check=True).stdout
        strip = lambda text: [line for line in text.splitlines() if not line.startswith((b"\\restrict", b"\\unrestrict"))]
        assert strip(only) == strip(back)
        psql("e2e_table", "INSERT INTO t (a) VALUES ('next')")
        assert psql("e2e_table", "SELECT max(i) FROM t") == "1001"


@case("/restore/table/says-what-it-left-out")
def _():
    with backed_up(fresh_database("e2e_table_from", INDEXED)) as world:
        fresh_database("e2e_table")
        done = world.run("--json", "restore", "database", "latest", "--table", "big", "--to", url("e2e_table"))
        assert done.code == 0, done
        left, brought = " ".join(done.json["left_out"]), " ".join(done.json["brought"])
        assert "big_kind_fkey" in left and "noted" in left, done
        for name in ("big_pkey", "big_parent", "big_kind", "big_parent_fkey"):
            assert name in brought, (name, done)
        text = world.run("restore", "database", "latest", "--table", "small", "--to", url("e2e_table"))
        assert text.code == 0 and "brought" in text.out, text


@case("/restore/table/quoted-names-partitions-and-generated-columns")
def _():
    odd = '"Odd ""schema"", with"."a table\'s ""name""\non two lines -- COPY x FROM stdin; ü 画像"'
    with backed_up(fresh_database("e2e_table_from", ROWS + ";" + AWKWARD)) as world:
        fresh_database("e2e_table")
        words = sum((["--table", name] for name in (odd, "parts_low_1", "PUBLIC.generated", "bytes", "empty")), [])
        done = world.run("--json", "restore", "database", "latest", *words, "--to", url("e2e_table"))
        assert done.code == 0, done
        assert "partition of public.parts_low" in " ".join(done.json["left_out"]), done
        for name in (odd, "parts_low_1", "generated", "bytes"):
            question = f"SELECT count(*), md5(string_agg(x::text, ',' ORDER BY x::text)) FROM {name} x"
            assert psql("e2e_table", question) == psql("e2e_table_from", question), name
        for name, said in (("parts", "partitions"), ("no_such", "no_such"), ("", '""')):
            refused = world.run("restore", "database", "latest", "--table", name, "--to", url("e2e_table"))
            assert refused.code == 1 and said in refused.err, refused


@case("/restore/table/rows-alone-into-a-table-that-is-there")
def _():
    with backed_up(fresh_database("e2e_table_from", SMALL)) as world:
        fresh_database("e2e_table")
        words = ["--json", "restore", "database", "latest", "--table", "t", "--to", url("e2e_table")]
        missing = world.run(*words, "--data-only")
        assert missing.code == 1 and missing.json["code"] == "not_found", missing
        psql("e2e_table", "CREATE TABLE t (a text, extra int DEFAULT 7, i int)")
        done = world.run(*words, "--data-only")
        assert done.code == 0 and psql("e2e_table", "SELECT count(*), sum(extra), max(i) FROM t") == "1000|7000|1000", done
        refused = world.run(*words, "--data-only")
        assert refused.code == 1 and refused.json["code"] == "conflict", refused
        added = world.run(*words, "--data-only", "--allow-non-empty")
        assert added.code == 0 and psql("e2e_table", "SELECT count(*) FROM t") == "2000", added
        psql("e2e_table", "DROP TABLE t; CREATE TABLE t (i int, a int)")
        wrong = world.run(*words)
        assert wrong.code == 1 and "integer" in wrong.json["error"], wrong
        assert psql("e2e_table", "SELECT count(*) FROM t") == "0"


USAGE = [
    (["--create", "--swap"], "exclude"), (["--swap", "--in-place"], "exclude"), (["--data-only"], "--table"),
    (["--confirm", "x"], "--swap"), (["--jobs", "0x"], "jobs"), (["--jobs", "-1"], "jobs"), (["--jobs", "1000"], "jobs"),
    (["--table", "t", "--preflight"], "--preflight"),
]


@case("/restore/usage/options-that-do-not-go-together")
def _():
    with World("postgres") as world:
        for words, said in USAGE:
            done = world.run("restore", "database", "latest", "--to", url("x"), *words)
            assert done.code == 2 and said in done.err, (words, done)


@case("/restore/cancel/ctrl-c-stops-all-connections-and-leaves-nothing")
def _():
    slow = """CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1 FROM pg_sleep(900)';
              CREATE TABLE a (x int); INSERT INTO a VALUES (1); CREATE TABLE b (x int); INSERT INTO b VALUES (1)"""
    with backed_up(fresh_database("e2e_jobs", slow)) as world:
        # The indexes would take a quarter of an hour to make here as well, so they are put into the dump by hand.
        psql("e2e_jobs", "CREATE OR REPLACE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1'")
        psql("e2e_jobs", "CREATE INDEX ON a (slow(x)); CREATE INDEX ON b (slow(x))")
        psql("e2e_jobs", "CREATE OR REPLACE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1 FROM pg_sleep(900)'")
        assert world.run("backup", "database").code == 0
        drop("e2e_jobs_back")
        child = world.start("restore", "database", "latest", "--create", "--jobs", "2", "--to", url("e2e_jobs_back"))
        busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'e2e_jobs_back' AND query LIKE 'CREATE INDEX%'"
        wait_for(lambda: psql("postgres", busy) == "2")
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=300)
        assert child.returncode == 1 and "cancelled" in err, (out, err)
        assert not like("^e2e_jobs_back$")


if __name__ == "__main__":
    run()

"""Databases to dump: what is awkward, what is unusual, and what chance makes of tables."""

# What only pg_dump may read, beside what looks like it; names that a pattern would match more than one table by.
UNUSUAL = r'''
CREATE SCHEMA "S.1*"; CREATE SCHEMA "select";
CREATE TABLE "S.1*"."a.b" (i int); CREATE TABLE "S.1*"."a?b" (i int); CREATE TABLE "S.1*"."a*b" (i int);
CREATE TABLE "S.1*"."a$b|c(d)[e]{f}^\+" (i int); CREATE TABLE "S.1*"."AAB" (i int); CREATE TABLE "S.1*".aab (i int);
CREATE TABLE "S.1*"."""" (i int); CREATE TABLE "S.1*"."a
b" (i int); CREATE TABLE "S.1*"." " (i int); CREATE TABLE "select"."table" ("user" int, "order" int, "ü" int, abs int);
INSERT INTO "S.1*"."a.b" VALUES (1); INSERT INTO "S.1*"."a?b" VALUES (2); INSERT INTO "S.1*"."a*b" VALUES (3);
INSERT INTO "S.1*"."a$b|c(d)[e]{f}^\+" VALUES (4); INSERT INTO "S.1*"."AAB" VALUES (5); INSERT INTO "S.1*".aab VALUES (6);
INSERT INTO "S.1*"."""" VALUES (7); INSERT INTO "S.1*"."a
b" VALUES (8); INSERT INTO "S.1*"." " VALUES (9); INSERT INTO "select"."table" VALUES (1, 2, 3, 4);
CREATE TABLE only_generated (a int GENERATED ALWAYS AS (1) STORED); INSERT INTO only_generated DEFAULT VALUES;
CREATE TABLE dropped (a int, b text, c int); INSERT INTO dropped VALUES (1, 'x', 2); ALTER TABLE dropped DROP b;
CREATE TABLE all_dropped (a int); INSERT INTO all_dropped VALUES (1); ALTER TABLE all_dropped DROP a;
CREATE UNLOGGED TABLE unlogged (a int); INSERT INTO unlogged VALUES (1);
CREATE TYPE colour AS ENUM ('red', 'green', 'blue');
CREATE TABLE by_enum (c colour, n int) PARTITION BY HASH (c);
CREATE TABLE by_enum_0 PARTITION OF by_enum FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE by_enum_1 PARTITION OF by_enum FOR VALUES WITH (MODULUS 2, REMAINDER 1) PARTITION BY LIST (n);
CREATE TABLE by_enum_1_rest PARTITION OF by_enum_1 DEFAULT;
INSERT INTO by_enum SELECT (ARRAY['red', 'green', 'blue'])[1 + i % 3]::colour, i FROM generate_series(1, 60) i;
CREATE TYPE pair AS (x int, y text); CREATE TABLE typed OF pair (PRIMARY KEY (x)); INSERT INTO typed VALUES (1, 'one');
CREATE TABLE nested (p pair, ps pair[], e colour[], m positive);
INSERT INTO nested VALUES ((1, 'a,"b'), ARRAY[(2, NULL)::pair], '{red}', 3);
CREATE TABLE policed (a int, b int); ALTER TABLE policed ENABLE ROW LEVEL SECURITY; ALTER TABLE policed FORCE ROW LEVEL SECURITY;
CREATE POLICY shown ON policed USING (a > 1); INSERT INTO policed VALUES (1, 1), (2, 2);
CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE far (line text) SERVER files OPTIONS (filename '/dev/null');
CREATE TABLE near (line text); ALTER FOREIGN TABLE far INHERIT near; INSERT INTO near VALUES ('near');
CREATE TABLE ruled (a int); CREATE RULE nothing AS ON INSERT TO ruled DO INSTEAD NOTHING; CREATE TABLE ruled_too (a int);
INSERT INTO ruled_too VALUES (1); CREATE RULE twice AS ON UPDATE TO ruled_too DO ALSO DELETE FROM ruled;
CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree);
INSERT INTO tree SELECT i, nullif(i / 2, 0) FROM generate_series(1, 50) i;
CREATE FUNCTION no_more() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER no_more BEFORE INSERT ON tree FOR EACH ROW EXECUTE FUNCTION no_more(); ALTER TABLE tree ENABLE ALWAYS TRIGGER no_more;
CREATE FUNCTION short(text) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT length($1) < 9';
CREATE TABLE checked (a text CHECK (short(a)), b int CHECK (b > 0)); INSERT INTO checked VALUES ('x', 1);
'''


class Shapes:
    """Tables as chance makes them; the same for the same generator."""

    # a type, and an expression of i that gives its values
    TYPES = (
        ("int", "i * 7 % 1000"), ("bigint", "i::bigint << 40"), ("smallint", "i % 300"), ("numeric(20, 5)", "i / 7.0"),
        ("float8", "CASE i % 5 WHEN 0 THEN 'NaN'::float8 WHEN 1 THEN '-Infinity' ELSE 1 / (i + 0.1) END"), ("real", "i / 3.0"),
        ("text", r"CASE i % 4 WHEN 0 THEN E'\t\\\n\r\x08' || i WHEN 1 THEN '\.' WHEN 2 THEN '\N' ELSE repeat('ü', i % 90) END"),
        ("varchar(80)", "md5(i::text)"), ("char(9)", "(i % 1000)::text"), ("bool", "i % 2 = 0"),
        ("bytea", "decode(md5(i::text), 'hex')"), ("date", "date '2000-02-28' + i % 9000"),
        ("timestamptz", "timestamptz '1970-01-01' + i * interval '1 hour'"), ("time", "time '00:00' + i * interval '7 s'"),
        ("timestamp", "timestamp 'epoch' + i * interval '3.5 s'"), ("interval", "i * interval '1 day 2.5 s' - interval '1 mon'"),
        ("uuid", "md5(i::text)::uuid"), ("jsonb", r"jsonb_build_object('k\"', i, 'a', ARRAY[i, NULL])"),
        ("json", "to_json(ARRAY[i])"), ("int[]", "ARRAY[i, NULL, -i]"), ("text[]", "ARRAY['a,b', NULL, '', 'NULL', i::text]"),
        ("int[][]", "ARRAY[ARRAY[i, 1], ARRAY[2, 3]]"), ("inet", "inet '10.0.0.0' + i"), ("point", "point(i, -i / 3.0)"),
        ("bit(8)", "i::bit(8)"), ("int4range", "int4range(i, i + 5)"), ("money", "(i % 9999)::money"),
        ("int4multirange", "int4multirange(int4range(i, i + 2))"), ("xml", "xmlelement(name x, i)"),
        ("tsvector", "to_tsvector('simple', 'word' || i)"), ("oid", "i::oid"), ("macaddr", "'08:00:2b:01:02:03'::macaddr"),
        ("shade", "(ARRAY['dark', 'it''s'])[1 + i % 2]::shade"), ("small", "(i % 90)::small"),
        ("two", "ROW(i, 'a\"b,' || i)::two"), ("two[]", "ARRAY[ROW(i, NULL)::two]"), ("name", "('n' || i)::name"),
        ("regtype", "'int'::regtype"), ("pg_lsn", "'0/16B3748'::pg_lsn"))
    NAMES = ("plain", "Upper", "with space", 'quote"d', "dot.ted", "star*", "q?", "new\nline", "tab\t", "user", "select", "ü",
             "$1", "a-b", "--", "'", "\\")
    BASE = """CREATE TYPE shade AS ENUM ('dark', 'it''s'); CREATE DOMAIN small AS int CHECK (VALUE < 100);
CREATE TYPE two AS (a int, b text); CREATE SCHEMA "Other.Schema";
"""

    def __init__(self, choice):
        self.choice = choice
        self.number = 0

    def name(self):
        self.number += 1
        return '"' + (self.choice.choice(self.NAMES) + str(self.number)).replace('"', '""') + '"'

    def columns(self):
        """(name, type, expression); at least one."""
        return [(self.name(), *self.choice.choice(self.TYPES)) for _ in range(self.choice.randint(1, 9))]

    def fill(self, target, columns):
        """Rows with nulls; none, few, or several pages; some of them deleted again."""
        rows = self.choice.choice((0, 1, 10, 1000, 4000))
        values = ", ".join(f"CASE WHEN i % {self.choice.randint(2, 9)} = 1 THEN NULL ELSE {value} END"
                           if self.choice.random() < 0.5 else value for _, _, value in columns)
        names = ", ".join(name for name, _, _ in columns)
        sql = f"INSERT INTO {target} ({names}) SELECT {values} FROM generate_series(1, {rows}) i;\n"
        if self.choice.random() < 0.4:
            sql += f"DELETE FROM {target} WHERE ctid IN (SELECT ctid FROM {target} ORDER BY ctid LIMIT {rows // 3});\n"
        return sql

    def extras(self, target, columns):
        """What changes a table's form, before or after its rows came; columns are those that stay."""
        first = columns[0][0]
        changes = (
            (0.4, f"ALTER TABLE {target} ADD {self.name()} int GENERATED ALWAYS AS (40 + 2) STORED"),
            (0.3, f"ALTER TABLE {target} ADD {self.name()} int GENERATED BY DEFAULT AS IDENTITY"),
            (0.3, f"ALTER TABLE {target} ADD {self.name()} serial"),
            (0.3, f"ALTER TABLE {target} SET (fillfactor = {self.choice.randint(20, 90)}, autovacuum_enabled = off)"),
            (0.2, f"ALTER TABLE {target} ALTER {first} SET STATISTICS 7"),
            (0.2, f"GRANT SELECT ({first}), INSERT ON {target} TO pg_monitor"),
            (0.2, f"COMMENT ON COLUMN {target}.{first} IS E'a\\n-- comment'"))
        sql = [change + ";\n" for chance, change in changes if self.choice.random() < chance]
        self.choice.shuffle(sql)
        return "".join(sql)

    def ordinary(self):
        target, columns = self.choice.choice(("", '"Other.Schema".')) + self.name(), self.columns()
        kind = self.choice.choice(("", "", "", "UNLOGGED "))
        sql = f"CREATE {kind}TABLE {target} ({', '.join(f'{name} {type_}' for name, type_, _ in columns)});\n"
        parts = [self.extras(target, columns), self.fill(target, columns)]
        self.choice.shuffle(parts)
        sql += "".join(parts)
        if len(columns) > 1 and self.choice.random() < 0.4:
            sql += f"ALTER TABLE {target} DROP {self.choice.choice(columns[1:])[0]};\n"
        if self.choice.random() < 0.3:
            child, more = self.name(), self.columns()
            sql += f"CREATE TABLE {child} ({', '.join(f'{name} {type_}' for name, type_, _ in more)}) INHERITS ({target});\n"
            # An identity is not inherited, NOT NULL is: such a child stays empty.
            sql += "" if "IDENTITY" in sql else self.fill(child, more)
        return sql

    def partitioned(self):
        target, columns, key = self.name(), self.columns(), self.name()
        kind, bounds = self.choice.choice((
            ("RANGE", ("FOR VALUES FROM (MINVALUE) TO (500)", "FOR VALUES FROM (500) TO (MAXVALUE)")),
            ("LIST", ("FOR VALUES IN (0, 1, 2)", "DEFAULT")),
            ("HASH", ("FOR VALUES WITH (MODULUS 2, REMAINDER 0)", "FOR VALUES WITH (MODULUS 2, REMAINDER 1)"))))
        fields = ", ".join(f"{name} {type_}" for name, type_, _ in columns)
        sql = f"CREATE TABLE {target} ({key} int, {fields}) PARTITION BY {kind} ({key});\n"
        sql += "".join(f"CREATE TABLE {self.name()} PARTITION OF {target} {bound};\n" for bound in bounds)
        values = ", ".join(value for _, _, value in columns)
        return sql + f"INSERT INTO {target} SELECT i, {values} FROM generate_series(1, 1500) i;\n"

    def toasted(self):
        target = self.name()
        storage = self.choice.choice(("EXTERNAL", "EXTENDED", "MAIN"))
        return (f"CREATE TABLE {target} (i int, a text, b bytea); ALTER TABLE {target} ALTER a SET STORAGE {storage};\n"
                f"INSERT INTO {target} SELECT i, repeat(md5(i::text), i * 40 % 5000), "
                "decode(repeat(md5(i::text), i), 'hex') FROM generate_series(1, 80) i;\n")


def random_schema(choice):
    shapes = Shapes(choice)
    makers = [shapes.ordinary] * 5 + [shapes.partitioned, shapes.toasted]
    return shapes.BASE + "".join(choice.choice(makers)() for _ in range(25))

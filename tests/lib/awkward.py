"""A database in which everything that a dump can hold is as odd as it can be, and rows by the thousand."""

AWKWARD = r'''
CREATE SCHEMA "Odd ""schema"", with"; CREATE EXTENSION pgcrypto;
CREATE TABLE "Odd ""schema"", with"."a table's ""name""
on two lines -- COPY x FROM stdin; ü 画像" (id int, "col ""umn""" text, "new
line" text);
INSERT INTO "Odd ""schema"", with"."a table's ""name""
on two lines -- COPY x FROM stdin; ü 画像" VALUES (1, E'a\nb\tc\\d\r', NULL), (2, '\.', ''), (3, E'\\.', E'\x01\x1f'),
  (4, '-- PostgreSQL database dump complete', 'COPY public.t (a) FROM stdin;');
CREATE TABLE empty (); CREATE TABLE no_rows (a int);
CREATE TABLE bytes (b bytea); INSERT INTO bytes SELECT decode(repeat('00ff5c2e0a', i), 'hex') FROM generate_series(0, 300) i;
CREATE TABLE wide (doc jsonb, arr text[], r int4range, x xml, ts timestamptz, n numeric);
INSERT INTO wide VALUES ('{"a": [1, "\\n"]}', '{"a,b","c\"d",NULL}', '[1,5)', '<a>&lt;</a>', 'infinity', 'NaN');
CREATE TABLE generated (a int, b int GENERATED ALWAYS AS (a * 2) STORED, c int GENERATED ALWAYS AS IDENTITY);
INSERT INTO generated (a) SELECT i FROM generate_series(1, 50) i;
CREATE TABLE parts (k int, v text) PARTITION BY RANGE (k);
CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (100) PARTITION BY HASH (v);
CREATE TABLE parts_low_0 PARTITION OF parts_low FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parts_low_1 PARTITION OF parts_low FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE parts_rest PARTITION OF parts DEFAULT;
INSERT INTO parts SELECT i, 'v' || i FROM generate_series(0, 300) i;
CREATE MATERIALIZED VIEW sums AS SELECT k % 7 AS m, count(*) AS n FROM parts GROUP BY 1;
CREATE VIEW seen AS SELECT * FROM parts WHERE k > 5;
CREATE FUNCTION speak() RETURNS text LANGUAGE plpgsql AS $body$
BEGIN
  RETURN 'it''s
COPY public.no_rows (a) FROM stdin;
1
\.
-- PostgreSQL database dump complete
';
END $body$;
COMMENT ON TABLE no_rows IS E'COPY public.empty FROM stdin;\n1\n\\.\n-- PostgreSQL database dump complete\n';
CREATE TYPE mood AS ENUM ('sad', 'ok''ay'); CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE SEQUENCE ticket START 42; SELECT nextval('ticket');
CREATE TABLE parent (a int PRIMARY KEY); CREATE TABLE child (b int) INHERITS (parent);
INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2, 3);
ALTER TABLE wide ENABLE ROW LEVEL SECURITY;
SELECT lo_from_bytea(0, decode(repeat('deadbeef27', 40000), 'hex')); SELECT lo_from_bytea(0, ''); SELECT lo_create(0);
'''
ROWS = "CREATE TABLE t AS SELECT i, md5(i::text) AS a, md5((i * 3)::text) AS b FROM generate_series(1, 60000) i"

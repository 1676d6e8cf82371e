-- A web application's database: users, events with jsonb, articles of text, thumbnails as bytea.
-- Variables: scale (1 is about 100 MB of plain dump).
\set ON_ERROR_STOP 1
SELECT setseed(0.42);
CREATE TABLE users (
	id bigint PRIMARY KEY, email text NOT NULL, name text NOT NULL, password_hash text NOT NULL,
	created timestamptz NOT NULL, settings jsonb NOT NULL, is_active boolean NOT NULL DEFAULT true);
INSERT INTO users
SELECT i, 'user' || i || '@example.org', initcap(left(md5(i::text), 7)) || ' ' || initcap(left(md5((i * 7)::text), 9)),
	'$2b$12$' || md5(random()::text) || left(md5(random()::text), 21), timestamptz '2020-01-01' + i * interval '97 s',
	jsonb_build_object('theme', (ARRAY['dark', 'light', 'auto'])[1 + i % 3], 'mail', i % 2 = 0, 'page', i % 50)
FROM generate_series(1, :scale * 40000) i;

CREATE TABLE events (
	id bigint PRIMARY KEY, user_id bigint NOT NULL, kind text NOT NULL, at timestamptz NOT NULL, payload jsonb NOT NULL);
INSERT INTO events
SELECT i, 1 + (random() * :scale * 40000)::bigint % (:scale * 40000),
	(ARRAY['login', 'view', 'upload', 'comment', 'share', 'logout'])[1 + (random() * 5)::int],
	timestamptz '2023-01-01' + i * interval '3 s',
	jsonb_build_object('ip', '10.' || i % 250 || '.' || i % 199 || '.' || (random() * 250)::int,
		'path', '/images/' || (random() * 100000)::int || '.jpg', 'ms', (random() * 900)::int, 'session', md5(random()::text),
		'agent', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.' || i % 40)
FROM generate_series(1, :scale * 230000) i;

CREATE TABLE words AS SELECT i, left(md5((i * 31)::text), 3 + i % 8) AS word FROM generate_series(0, 4095) i;
CREATE TABLE articles (id bigint PRIMARY KEY, user_id bigint NOT NULL, title text NOT NULL, body text NOT NULL);
INSERT INTO articles
SELECT a.i, a.i % (:scale * 40000) + 1, 'Article ' || a.i, string_agg(w.word, ' ')
FROM (SELECT i, generate_series(1, 200) AS n, (random() * 4095)::int AS pick FROM generate_series(1, :scale * 12000) i) a
JOIN words w ON w.i = a.pick GROUP BY a.i;

CREATE TABLE thumbnails (id bigint PRIMARY KEY, user_id bigint NOT NULL, image bytea NOT NULL);
INSERT INTO thumbnails
SELECT i, i, (SELECT decode(string_agg(md5(random()::text || i || n), ''), 'hex') FROM generate_series(1, 128) n)
FROM generate_series(1, :scale * 1700) i;

CREATE INDEX ON events (user_id);
CREATE INDEX ON events (at);
CREATE INDEX ON articles (user_id);
CREATE UNIQUE INDEX ON users (email);
ALTER TABLE events ADD FOREIGN KEY (user_id) REFERENCES users (id);
ANALYZE;

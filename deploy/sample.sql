-- The quickstart's sample: a small shop with images in a bucket.
\set ON_ERROR_STOP 1
CREATE TABLE users (
	id int PRIMARY KEY, email text UNIQUE NOT NULL, name text NOT NULL, settings jsonb NOT NULL DEFAULT '{}',
	created timestamptz NOT NULL);
INSERT INTO users SELECT i, 'user' || i || '@example.org', 'User ' || i, jsonb_build_object('theme', i % 3),
	timestamptz '2024-01-01' + i * interval '5 min' FROM generate_series(1, 20000) i;
CREATE TABLE images (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users, key text NOT NULL, caption text);
INSERT INTO images SELECT i, 1 + i % 20000, 'users/' || 1 + i % 20000 || '/' || md5(i::text) || '.jpg',
	'Räksmörgås ' || i FROM generate_series(1, 50000) i;
CREATE TABLE orders (id bigint, user_id int NOT NULL REFERENCES users, total numeric(10, 2) NOT NULL,
	placed timestamptz NOT NULL,
	PRIMARY KEY (id, placed)) PARTITION BY RANGE (placed);
CREATE TABLE orders_2024 PARTITION OF orders FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE orders_2025 PARTITION OF orders FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
INSERT INTO orders SELECT i, 1 + i % 20000, (i % 9999) / 100.0, timestamptz '2024-01-01' + i * interval '9 min'
	FROM generate_series(1, 100000) i;
CREATE MATERIALIZED VIEW spent AS SELECT user_id, sum(total) AS total FROM orders GROUP BY user_id;
CREATE INDEX ON images (user_id);

-- The delays of the posts that came to a Mastodon in the last 14 days, as lines of JSON for `slackwater tune -`, by psql alone:
--
--     psql -qAtX -f docs/mastodon-delays.sql DATABASE_URL | slackwater tune -
--
-- For another number of days: -v days=30. It changes nothing. `slackwater mastodon delays` gives the same.
--
-- A post that came into the inbox has an id made of the moment it came; created_at is when its author's server says it was written.
-- A post that Mastodon looked up itself has an id made of the second it was written in: it says nothing of delays, and is left out.
\set ON_ERROR_STOP on
\if :{?days}
\else
    \set days 14
\endif
BEGIN TRANSACTION READ ONLY;
SET LOCAL statement_timeout = '1h';
-- Once `slackwater mastodon install --serve` gives posts ids of the time they were written, those say nothing of delays either.
\set until 'infinity'
SELECT to_regclass('slackwater.installed') IS NOT NULL AS is_installed \gset
\if :is_installed
    SELECT coalesce(max(serve_since), 'infinity') AS until FROM slackwater.installed \gset
\endif
SELECT (extract(epoch FROM least(now(), :'until'::timestamptz)) * 1000)::bigint << 16 AS last,
    (extract(epoch FROM now() - :days * interval '1 day') * 1000)::bigint << 16 AS first \gset
COPY (
    SELECT json_build_object(
        'origin', regexp_replace(lower(coalesce(nullif(split_part(a.uri, '/', 3), ''), a.domain)), '^www\.', ''),
        'published', floor(extract(epoch FROM s.created_at) * 1000)::bigint,
        'arrived', s.id >> 16)
    FROM statuses s JOIN accounts a ON a.id = s.account_id
    WHERE :first <= s.id AND s.id < :last AND s.local IS NOT TRUE AND a.domain IS NOT NULL
        AND ((s.id >> 16) / 1000 <> floor(extract(epoch FROM s.created_at))
            OR abs(extract(epoch FROM s.updated_at) * 1000 - (s.id >> 16)) < 1000)
    ORDER BY s.id
) TO STDOUT;
COMMIT;

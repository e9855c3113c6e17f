-- What the role may do: read these tables of Mastodon's (private posts among them), and of accounts and users no keys, no
-- passwords and no addresses; read the outbox, and remove from it what it has read.
GRANT USAGE ON SCHEMA slackwater TO {role};
GRANT SELECT, DELETE ON slackwater.outbox, slackwater.overflow TO {role};
GRANT SELECT ON slackwater.installed, slackwater.settings TO {role};
GRANT EXECUTE ON FUNCTION slackwater.token_bearer(text) TO {role};
GRANT USAGE ON SCHEMA public TO {role};
DO $do$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT t.tab, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS columns
        FROM (VALUES
{columns}
        ) AS t (tab, columns)
            JOIN pg_attribute a ON a.attrelid = to_regclass('public.' || quote_ident(t.tab)) AND 0 < a.attnum AND NOT a.attisdropped
                AND a.attname = ANY (t.columns)
        GROUP BY t.tab
    LOOP
        EXECUTE format('GRANT SELECT (%s) ON public.%I TO {role}', wanted.columns, wanted.tab);
    END LOOP;
END
$do$;

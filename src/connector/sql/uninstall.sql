DO $do$
DECLARE
    reader text;
    granted record;
BEGIN
    IF to_regclass('slackwater.installed') IS NOT NULL THEN
        SELECT role INTO reader FROM slackwater.installed JOIN pg_roles ON rolname = role LIMIT 1;
    END IF;
    DROP SCHEMA IF EXISTS slackwater CASCADE;
    IF reader IS NULL THEN
        RETURN;
    END IF;
    -- Column by column, as they were granted: a right to the whole table, which an owner has too, was there before and stays.
    FOR granted IN
        SELECT t AS tab, string_agg(quote_ident(a.attname), ', ') AS columns
        FROM unnest(ARRAY[{tables}]) AS t
            JOIN pg_attribute a ON a.attrelid = to_regclass('public.' || quote_ident(t)) AND a.attacl IS NOT NULL AND NOT a.attisdropped
        GROUP BY t
    LOOP
        EXECUTE format('REVOKE SELECT (%s) ON public.%I FROM %I', granted.columns, granted.tab, reader);
    END LOOP;
    EXECUTE format('REVOKE USAGE ON SCHEMA public FROM %I', reader);
    IF shobj_description((SELECT oid FROM pg_roles WHERE rolname = reader), 'pg_authid') = '{role_comment}' THEN
        BEGIN
            EXECUTE format('DROP ROLE %I', reader);
        EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN
            -- Another database gives it rights too, or whoever runs this may make no roles: it stays, without rights here.
            NULL;
        END;
    END IF;
END
$do$;

DO $do$
DECLARE
    reader text;
    read_table text;
BEGIN
    IF to_regclass('slackwater.installed') IS NOT NULL THEN
        SELECT role INTO reader FROM slackwater.installed JOIN pg_roles ON rolname = role LIMIT 1;
    END IF;
    DROP SCHEMA IF EXISTS slackwater CASCADE;
    IF reader IS NULL THEN
        RETURN;
    END IF;
    FOR read_table IN SELECT t FROM unnest(ARRAY[{tables}]) AS t WHERE to_regclass('public.' || t) IS NOT NULL LOOP
        EXECUTE format('REVOKE SELECT ON public.%I FROM %I', read_table, reader);
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

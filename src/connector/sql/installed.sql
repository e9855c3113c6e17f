-- Which version and level this is. An id trigger that is there stays, and so does the moment it came.
DO $do$
DECLARE
    before record;
    serves boolean := EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'public.statuses'::regclass AND tgname = '{place_trigger}');
BEGIN
    SELECT * INTO before FROM slackwater.installed LIMIT 1;
    DELETE FROM slackwater.installed;
    INSERT INTO slackwater.installed (version, level, role, serve_since) VALUES ({version},
        CASE WHEN serves THEN 'serve' ELSE 'look' END, '{role}', CASE WHEN serves THEN coalesce(before.serve_since, now()) END);
END
$do$;

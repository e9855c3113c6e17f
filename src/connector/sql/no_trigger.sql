DO $do$
BEGIN
    IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = to_regclass('public.{table}') AND tgname = '{name}') THEN
        DROP TRIGGER {name} ON public.{table};
    END IF;
END
$do$;

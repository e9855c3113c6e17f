DO $do$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'public.{table}'::regclass AND tgname = '{name}') THEN
        CREATE TRIGGER {name} {when} ON public.{table} FOR EACH ROW EXECUTE FUNCTION slackwater.{function}();
    ELSIF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'public.{table}'::regclass AND tgname = '{name}' AND tgenabled <> 'O') THEN
        ALTER TABLE public.{table} ENABLE TRIGGER {name};
    END IF;
END
$do$;

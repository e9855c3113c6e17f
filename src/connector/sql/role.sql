-- The role that Slackwater signs in as. It has no password yet. By the comment it is known for one that goes with the rest.
DO $do$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
        CREATE ROLE {role} LOGIN;
        COMMENT ON ROLE {role} IS '{role_comment}';
    END IF;
END
$do$;

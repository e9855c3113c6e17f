-- The account that may use an access token, and what for; no row if nobody may. So the role can ask about a token that it was
-- shown, and can list none.
CREATE OR REPLACE FUNCTION slackwater.token_bearer(shown text) RETURNS TABLE (account_id bigint, scopes text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, slackwater, pg_temp AS $bearer$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        SELECT a.id, t.scopes::text
        FROM public.oauth_access_tokens t
            JOIN public.users u ON u.id = t.resource_owner_id
            JOIN public.accounts a ON a.id = u.account_id
        WHERE t.token = shown AND t.revoked_at IS NULL
            AND (t.expires_in IS NULL OR now() AT TIME ZONE 'UTC' < t.created_at + t.expires_in * interval '1 second')
            AND NOT u.disabled AND a.suspended_at IS NULL;
END
$bearer$;
REVOKE ALL ON FUNCTION slackwater.token_bearer(text) FROM PUBLIC;

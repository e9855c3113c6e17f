-- Notes that a row has changed. It names no column of Mastodon's in a way that a renamed or dropped one could break: rows are
-- looked at as JSON. It has no EXCEPTION block, since a subtransaction for each row would burden mass deletes; what could fail
-- is asked beforehand.
CREATE OR REPLACE FUNCTION slackwater.note() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, slackwater, pg_temp AS $note$
DECLARE
    -- What says whose row it is: kept of a row that goes, and of one for which it changes.
    keys text[];
    -- What else a feed can see of a row.
    seen text[];
    was jsonb;
    becomes jsonb;
    row_id bigint;
    kept jsonb;
    is_fetched boolean;
    noted bigint;
    rows_max bigint;
BEGIN
    IF has_schema_privilege('slackwater', 'USAGE') IS NOT TRUE THEN
        RETURN NULL;
    END IF;
    IF has_table_privilege(to_regclass('slackwater.outbox')::oid, 'INSERT') IS NOT TRUE
        OR to_regclass('slackwater.outbox_seq_seq') IS NULL
        OR to_regclass('slackwater.overflow') IS NULL
        OR to_regclass('slackwater.settings') IS NULL THEN
        RETURN NULL;
    END IF;

    IF TG_OP = 'INSERT' THEN
        -- What comes most: of a row that comes only its id is needed.
        CASE TG_TABLE_NAME
        WHEN 'statuses' THEN
            row_id := NEW.id;
            -- The column's default is an id of this transaction's own time, and place_id() names those that it changed.
            is_fetched := 1 < abs((row_id >> 16) - (date_part('epoch', now()) * 1000)::bigint)
                AND position(',' || row_id || ',' IN coalesce(current_setting('slackwater.delivered', true), '') || ',') = 0;
        WHEN 'statuses_tags' THEN
            -- A row without an id of its own is noted by its post.
            row_id := (to_jsonb(NEW)->>'status_id')::bigint;
        WHEN 'media_attachments' THEN
            -- A file that somebody uploads belongs to no post before the post is written.
            IF to_jsonb(NEW)->>'status_id' IS NULL THEN
                RETURN NULL;
            END IF;
            row_id := NEW.id;
        ELSE
            row_id := NEW.id;
        END CASE;
    ELSE
        CASE TG_TABLE_NAME
        WHEN 'statuses' THEN
            keys := '{account_id,uri,local,reblog_of_id,in_reply_to_id,deleted_at}';
            seen := '{text,url,created_at,in_reply_to_account_id,sensitive,visibility,spoiler_text,reply,language,edited_at,poll_id,ordered_media_attachment_ids,quote_approval_policy}';
        WHEN 'mentions' THEN
            keys := '{status_id,account_id}';
            seen := '{silent}';
        WHEN 'statuses_tags' THEN
            keys := '{status_id,tag_id}';
            seen := '{}';
        WHEN 'media_attachments' THEN
            keys := '{status_id}';
            seen := '{file_file_name,file_content_type,remote_url,type,file_meta,description,blurhash,thumbnail_remote_url}';
        WHEN 'follows' THEN
            keys := '{account_id,target_account_id}';
            seen := '{show_reblogs,languages}';
        WHEN 'mutes' THEN
            keys := '{account_id,target_account_id}';
            seen := '{expires_at}';
        WHEN 'blocks' THEN
            keys := '{account_id,target_account_id}';
            seen := '{}';
        WHEN 'account_domain_blocks' THEN
            keys := '{account_id,domain}';
            seen := '{}';
        WHEN 'lists' THEN
            keys := '{account_id}';
            seen := '{title,replies_policy,exclusive}';
        WHEN 'list_accounts' THEN
            keys := '{list_id,account_id}';
            seen := '{follow_id}';
        WHEN 'tag_follows' THEN
            keys := '{account_id,tag_id}';
            seen := '{}';
        WHEN 'domain_blocks' THEN
            keys := '{domain}';
            seen := '{severity}';
        WHEN 'accounts' THEN
            keys := '{username,domain,uri,id_scheme}';
            seen := '{display_name,note,url,followers_url,avatar_file_name,avatar_remote_url,header_file_name,header_remote_url,locked,actor_type,fields,discoverable,silenced_at,suspended_at}';
        WHEN 'users' THEN
            keys := '{account_id}';
            seen := '{chosen_languages,settings,locale,disabled,approved}';
        ELSE
            RETURN NULL;
        END CASE;
        was := to_jsonb(OLD);
        IF TG_OP = 'UPDATE' THEN
            becomes := to_jsonb(NEW);
            IF NOT EXISTS (SELECT FROM unnest(keys || seen) AS k WHERE was->k IS DISTINCT FROM becomes->k) THEN
                RETURN NULL;
            END IF;
        END IF;
        IF TG_TABLE_NAME = 'media_attachments' AND coalesce(was->>'status_id', becomes->>'status_id') IS NULL THEN
            RETURN NULL;
        END IF;
        row_id := coalesce(was->>'id', was->>'status_id')::bigint;
        IF TG_OP = 'DELETE' OR EXISTS (SELECT FROM unnest(keys) AS k WHERE was->k IS DISTINCT FROM becomes->k) THEN
            SELECT jsonb_object_agg(k, was->k) INTO kept FROM unnest(keys) AS k WHERE was ? k;
        END IF;
    END IF;

    -- Once it was full, nothing is noted until somebody has cleared that.
    INSERT INTO slackwater.outbox (tab, id, gone, old, fetched)
        SELECT TG_TABLE_NAME, row_id, TG_OP = 'DELETE', kept, is_fetched WHERE NOT EXISTS (SELECT FROM slackwater.overflow)
        RETURNING seq INTO noted;
    -- Now and then it is looked at how many there are. A row takes more than 50 bytes, so that it is known by the size alone that
    -- there are not too many: to look for the oldest is slow where dead rows cannot be removed yet.
    IF noted % 256 = 0 THEN
        rows_max := coalesce((SELECT value FROM slackwater.settings WHERE name = 'outbox_rows_max'), 5000000);
        IF rows_max * 50 < pg_relation_size('slackwater.outbox')
            AND rows_max < noted - (SELECT min(seq) FROM slackwater.outbox) THEN
            INSERT INTO slackwater.overflow DEFAULT VALUES;
        END IF;
    END IF;
    RETURN NULL;
END
$note$;
REVOKE ALL ON FUNCTION slackwater.note() FROM PUBLIC;

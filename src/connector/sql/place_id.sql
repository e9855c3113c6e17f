-- Gives a post that came into the inbox an id of the time it was written, as Mastodon itself gives those that it fetches.
-- Whatever goes wrong: the id stays as it is.
CREATE OR REPLACE FUNCTION slackwater.place_id() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, slackwater, pg_temp AS $place$
DECLARE
    arrived bigint := (date_part('epoch', now()) * 1000)::bigint;
    written bigint;
    highest_of_author bigint;
    highest bigint;
    place bigint;
    is_free boolean := false;
BEGIN
    -- Posts written here have no uri when they are inserted; an id that was given is no id of this transaction's time.
    IF NEW.local IS TRUE OR NEW.uri IS NULL OR 1 < abs((NEW.id >> 16) - arrived) THEN
        RETURN NEW;
    END IF;
    written := floor(extract(epoch FROM NEW.created_at)::numeric * 1000)::bigint;
    IF arrived <= written
        OR written < arrived - (SELECT value FROM slackwater.settings WHERE name = 'lateness_max_ms') THEN
        RETURN NEW;
    END IF;
    -- Of 16 low bits a sequence has 15, so that there is room above them where it begins again.
    place := (written << 16) | (nextval('slackwater.low_bits') & 32767);
    -- Most servers say when a post was written to the second. Its author's posts of one second keep the order they came in, also
    -- where the sequence begins again: then above all of that moment. The inner query is kept apart so that the primary key alone is
    -- used for it.
    SELECT max(s.id) FILTER (WHERE s.account_id = NEW.account_id), max(s.id) INTO highest_of_author, highest
        FROM (SELECT id, account_id FROM public.statuses WHERE written << 16 <= id AND id < (written + 1) << 16 OFFSET 0) AS s;
    IF place <= highest_of_author THEN
        place := highest + 1;
    END IF;
    FOR attempt IN 1..1000 LOOP
        -- The lock keeps other transactions from the same id until this one's row can be seen.
        is_free := pg_try_advisory_xact_lock(place);
        IF is_free THEN
            -- A statement of its own, begun with the lock: it sees the row of a transaction that had the lock a moment ago.
            is_free := NOT EXISTS (SELECT FROM public.statuses WHERE id = place);
        END IF;
        EXIT WHEN is_free;
        place := place + 1;
    END LOOP;
    IF is_free THEN
        -- So that note() knows it for delivered. Several rows may be inserted before note() sees the first.
        PERFORM set_config('slackwater.delivered',
            right(coalesce(current_setting('slackwater.delivered', true), '') || ',' || place, 20000), true);
        NEW.id := place;
    END IF;
    RETURN NEW;
EXCEPTION WHEN OTHERS THEN
    RETURN NEW;
END
$place$;
REVOKE ALL ON FUNCTION slackwater.place_id() FROM PUBLIC;

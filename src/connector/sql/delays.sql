SELECT coalesce(nullif(split_part(a.uri, '/', 3), ''), a.domain)::text,
    floor(extract(epoch FROM s.created_at) * 1000)::bigint,
    s.id >> 16
FROM public.statuses s JOIN public.accounts a ON a.id = s.account_id
WHERE {first} <= s.id AND s.id < {last} AND s.local IS NOT TRUE AND a.domain IS NOT NULL
    -- An id of the second that the post was written in was made for a post that Mastodon looked up, unless that second is also the
    -- one it arrived in.
    AND ((s.id >> 16) / 1000 <> floor(extract(epoch FROM s.created_at))
        OR abs(extract(epoch FROM s.updated_at) * 1000 - (s.id >> 16)) < 1000)
ORDER BY s.id

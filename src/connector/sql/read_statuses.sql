-- Posts as they are now, with what each refers to: one JSON object a row. {id_scheme} and {quoted} depend on the version.
SELECT s.id, json_build_object(
    -- No feed goes by a text, and many long ones would fill the memory, or a record (which has a content twice).
    'id', s.id, 'uri', s.uri, 'url', s.url, 'text', left(s.text, 50000),
    'created_at', floor(extract(epoch FROM s.created_at) * 1000)::bigint,
    'updated_at', floor(extract(epoch FROM s.updated_at) * 1000)::bigint,
    'edited_at', floor(extract(epoch FROM s.edited_at) * 1000)::bigint,
    'deleted_at', floor(extract(epoch FROM s.deleted_at) * 1000)::bigint,
    'visibility', s.visibility, 'spoiler_text', left(s.spoiler_text, 5000), 'sensitive', s.sensitive, 'reply', s.reply,
    'language', s.language,
    'account', {account:a},
    'parent', CASE WHEN p.id IS NOT NULL THEN
        json_build_object('id', p.id, 'uri', p.uri, 'is_boost', p.reblog_of_id IS NOT NULL, 'account', {account:pa}) END,
    'original', CASE WHEN o.id IS NOT NULL THEN
        json_build_object('id', o.id, 'uri', o.uri, 'account', {account:oa}) END,
    'quoted', {quoted},
    'mentions', coalesce((SELECT json_agg(json_build_object('silent', m.silent, 'account', {account:ma}) ORDER BY m.id)
        FROM public.mentions m JOIN public.accounts ma ON ma.id = m.account_id WHERE m.status_id = s.id), '[]'),
    'tags', coalesce((SELECT json_agg(coalesce(t.display_name, t.name) ORDER BY t.id)
        FROM public.statuses_tags st JOIN public.tags t ON t.id = st.tag_id WHERE st.status_id = s.id), '[]'),
    'media', coalesce((SELECT json_agg(json_build_object('id', x.id, 'kind', x.type, 'content_type', x.file_content_type,
            'remote_url', x.remote_url, 'description', x.description, 'blurhash', x.blurhash,
            -- As text: what is no number would stop the whole query.
            'width', x.file_meta->'original'->>'width', 'height', x.file_meta->'original'->>'height')
            ORDER BY coalesce(array_position(s.ordered_media_attachment_ids, x.id), 1000), x.id)
        FROM public.media_attachments x WHERE x.status_id = s.id), '[]'),
    'poll', (SELECT json_build_object('options', array_remove(q.options, NULL), 'multiple', q.multiple,
            'tallies', array_remove(q.cached_tallies, NULL),
            'expires_at', floor(extract(epoch FROM q.expires_at) * 1000)::bigint, 'voters', q.voters_count)
        FROM public.polls q WHERE q.id = s.poll_id)
)::text
FROM public.statuses s
    JOIN public.accounts a ON a.id = s.account_id
    LEFT JOIN public.statuses p ON p.id = s.in_reply_to_id
    LEFT JOIN public.accounts pa ON pa.id = p.account_id
    LEFT JOIN public.statuses o ON o.id = s.reblog_of_id
    LEFT JOIN public.accounts oa ON oa.id = o.account_id
WHERE s.id = ANY ($1)
ORDER BY s.id

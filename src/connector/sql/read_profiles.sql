-- Accounts with what they show of themselves, what moderators did, and their users' choices: one JSON object a row.
SELECT a.id, json_build_object(
    'id', a.id, 'username', a.username, 'domain', a.domain, 'uri', a.uri, 'id_scheme', {id_scheme:a},
    'followers_url', a.followers_url, 'display_name', a.display_name, 'note', a.note, 'url', a.url,
    'avatar_remote_url', a.avatar_remote_url, 'header_remote_url', a.header_remote_url, 'locked', a.locked,
    'actor_type', a.actor_type, 'discoverable', a.discoverable,
    'is_silenced', a.silenced_at IS NOT NULL, 'is_suspended', a.suspended_at IS NOT NULL,
    'user', (SELECT json_build_object('chosen_languages', array_remove(u.chosen_languages, NULL), 'settings', u.settings)
        FROM public.users u WHERE u.account_id = a.id LIMIT 1)
)::text
FROM public.accounts a
WHERE a.id = ANY ($1)
ORDER BY a.id

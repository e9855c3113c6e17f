//! The columns of Mastodon that feeds are made of, and the version each came with.
//!
//! The table in `docs/mastodon.md` is this list, and a test compares the two.

use std::fmt;

/// A version of Mastodon whose tables are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// 4.3, the oldest.
    V4_3,
    /// 4.4.
    V4_4,
    /// 4.5.
    V4_5,
    /// 4.6, the newest.
    V4_6,
}

impl Version {
    /// All, the oldest first.
    pub const ALL: [Version; 4] = [Version::V4_3, Version::V4_4, Version::V4_5, Version::V4_6];

    /// The table and the column by which this version is known: none before it has them.
    pub const fn mark(self) -> (&'static str, &'static str) {
        match self {
            Version::V4_3 => ("accounts", "attribution_domains"),
            Version::V4_4 => ("statuses", "quote_approval_policy"),
            Version::V4_5 => ("accounts", "id_scheme"),
            Version::V4_6 => ("accounts", "feature_approval_policy"),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Version::V4_3 => "4.3",
            Version::V4_4 => "4.4",
            Version::V4_5 => "4.5",
            Version::V4_6 => "4.6",
        })
    }
}

/// A table of Mastodon's.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// The columns that are read, and that every version has which has the table.
    pub columns: &'static [&'static str],
    /// Columns that are read, each with the version it came with.
    pub later: &'static [(&'static str, Version)],
    /// The version it came with.
    pub since: Version,
    /// Whether its changes are noted in the outbox.
    pub is_noted: bool,
}

impl Table {
    const fn noted(name: &'static str, columns: &'static [&'static str]) -> Table {
        Table {
            name,
            columns,
            later: &[],
            since: Version::V4_3,
            is_noted: true,
        }
    }

    const fn read(name: &'static str, columns: &'static [&'static str]) -> Table {
        Table {
            is_noted: false,
            ..Table::noted(name, columns)
        }
    }

    const fn with(self, later: &'static [(&'static str, Version)]) -> Table {
        Table { later, ..self }
    }

    /// The columns that this version has, of those that are read; none if it has no such table.
    pub fn columns_of(&self, version: Version) -> Vec<&'static str> {
        if version < self.since {
            return Vec::new();
        }
        let later = self.later.iter().filter(|(_, since)| *since <= version);
        let later = later.map(|(column, _)| *column);
        self.columns.iter().copied().chain(later).collect()
    }

    /// The columns that are read where they are.
    pub fn all_columns(&self) -> Vec<&'static str> {
        let later = self.later.iter().map(|(column, _)| *column);
        self.columns.iter().copied().chain(later).collect()
    }
}

/// Every table that is read. Of accounts and users neither keys nor passwords nor addresses.
pub const TABLES: &[Table] = &[
    Table::noted(
        "statuses",
        &[
            "id",
            "uri",
            "text",
            "created_at",
            "updated_at",
            "in_reply_to_id",
            "reblog_of_id",
            "url",
            "sensitive",
            "visibility",
            "spoiler_text",
            "reply",
            "language",
            "local",
            "account_id",
            "in_reply_to_account_id",
            "poll_id",
            "deleted_at",
            "edited_at",
            "ordered_media_attachment_ids",
        ],
    )
    .with(&[("quote_approval_policy", Version::V4_4)]),
    Table::noted("mentions", &["id", "status_id", "account_id", "silent"]),
    Table::noted("statuses_tags", &["status_id", "tag_id"]),
    Table::noted(
        "media_attachments",
        &[
            "id",
            "status_id",
            "account_id",
            "file_file_name",
            "file_content_type",
            "remote_url",
            "type",
            "file_meta",
            "description",
            "blurhash",
            "thumbnail_remote_url",
        ],
    ),
    Table::noted(
        "follows",
        &[
            "id",
            "account_id",
            "target_account_id",
            "show_reblogs",
            "languages",
        ],
    ),
    Table::noted(
        "mutes",
        &["id", "account_id", "target_account_id", "expires_at"],
    ),
    Table::noted("blocks", &["id", "account_id", "target_account_id"]),
    Table::noted("account_domain_blocks", &["id", "account_id", "domain"]),
    Table::noted(
        "lists",
        &["id", "account_id", "title", "replies_policy", "exclusive"],
    ),
    Table::noted(
        "list_accounts",
        &["id", "list_id", "account_id", "follow_id"],
    ),
    Table::noted("tag_follows", &["id", "account_id", "tag_id"]),
    Table::noted("domain_blocks", &["id", "domain", "severity"]),
    Table::noted(
        "accounts",
        &[
            "id",
            "username",
            "domain",
            "uri",
            "url",
            "display_name",
            "note",
            "fields",
            "followers_url",
            "avatar_file_name",
            "avatar_remote_url",
            "header_file_name",
            "header_remote_url",
            "locked",
            "actor_type",
            "discoverable",
            "created_at",
            "silenced_at",
            "suspended_at",
        ],
    )
    .with(&[("id_scheme", Version::V4_5)]),
    Table::noted(
        "users",
        &[
            "id",
            "account_id",
            "chosen_languages",
            "settings",
            "locale",
            "disabled",
            "approved",
            "current_sign_in_at",
        ],
    ),
    Table::read("tags", &["id", "name", "display_name"]),
    Table::read(
        "polls",
        &[
            "id",
            "account_id",
            "status_id",
            "expires_at",
            "options",
            "multiple",
            "cached_tallies",
            "votes_count",
            "voters_count",
        ],
    ),
    Table {
        since: Version::V4_4,
        ..Table::read(
            "quotes",
            &[
                "id",
                "account_id",
                "status_id",
                "quoted_status_id",
                "quoted_account_id",
                "state",
                "approval_uri",
            ],
        )
    },
];

/// What `slackwater.token_bearer()` reads with the rights of whoever installed it; the role itself reads none of it.
pub const TOKEN_COLUMNS: &[(&str, &[&str])] = &[(
    "oauth_access_tokens",
    &[
        "token",
        "scopes",
        "resource_owner_id",
        "created_at",
        "expires_in",
        "revoked_at",
    ],
)];

//! Rows as they are read back: a post with its author, what it answers and boosts, and what hangs on it. Times are milliseconds since
//! 1970.

use serde::{Deserialize, Deserializer};

/// The columns of an account that its ids are made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct AccountRow {
    /// Mastodon's id.
    pub id: i64,
    /// The name in its handle.
    pub username: String,
    /// Its host; none if it is local.
    pub domain: Option<String>,
    /// The actor's id; empty or none if it is local.
    #[serde(default)]
    pub uri: Option<String>,
    /// 1 if the id of a local account is made of its number; none before 4.5.
    #[serde(default)]
    pub id_scheme: Option<i32>,
    /// The id of the collection of its followers; may be empty.
    #[serde(default)]
    pub followers_url: Option<String>,
}

/// A post that another refers to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ReferredPost {
    /// Mastodon's id.
    pub id: i64,
    /// The post's id; none of a local one that has none yet.
    pub uri: Option<String>,
    /// Whether it is a boost.
    #[serde(default)]
    pub is_boost: bool,
    /// Its author.
    pub account: AccountRow,
}

/// Whom a post mentions.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct MentionRow {
    /// Whether the post reaches them without naming them.
    pub silent: bool,
    /// Who.
    pub account: AccountRow,
}

/// What is attached to a post.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct MediaRow {
    /// Mastodon's id.
    pub id: i64,
    /// 0 an image, 1 a silent video, 2 a video, 3 unknown, 4 a sound.
    pub kind: i32,
    /// The media type.
    pub content_type: Option<String>,
    /// Where the author's server has it; empty for a local one.
    pub remote_url: Option<String>,
    /// The text for those who cannot see it.
    pub description: Option<String>,
    /// A blurred picture.
    pub blurhash: Option<String>,
    /// Width in pixels; none if the row has something else there.
    #[serde(deserialize_with = "pixels")]
    pub width: Option<u32>,
    /// Height, likewise.
    #[serde(deserialize_with = "pixels")]
    pub height: Option<u32>,
}

fn pixels<'de, D: Deserializer<'de>>(text: D) -> Result<Option<u32>, D::Error> {
    let text = Option::<String>::deserialize(text)?;
    Ok(text.and_then(|text| text.parse().ok()))
}

/// A poll.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PollRow {
    /// The choices.
    pub options: Vec<String>,
    /// The votes for each, as far as known.
    #[serde(default)]
    pub tallies: Vec<i64>,
    /// Whether several may be chosen.
    pub multiple: bool,
    /// When it ends.
    pub expires_at: Option<i64>,
    /// How many voted.
    pub voters: Option<i64>,
}

/// A row of `statuses`: a post, or a boost.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct StatusRow {
    /// Mastodon's id.
    pub id: i64,
    /// The post's id; none of a local one that has none yet.
    pub uri: Option<String>,
    /// Its page.
    pub url: Option<String>,
    /// HTML of a remote post, plain text of a local one: its first 50,000 characters.
    pub text: String,
    /// When it was written, as its author's server says.
    pub created_at: i64,
    /// When it was inserted; moves with edits.
    pub updated_at: i64,
    /// When it was last edited.
    pub edited_at: Option<i64>,
    /// When it was deleted; its row may stay for a while.
    pub deleted_at: Option<i64>,
    /// 0 public, 1 unlisted, 2 followers only, 3 direct, 4 limited.
    pub visibility: i32,
    /// The content warning: its first 5,000 characters.
    pub spoiler_text: String,
    /// Whether media are hidden at first.
    pub sensitive: bool,
    /// Whether it answers something.
    pub reply: bool,
    /// Its language.
    pub language: Option<String>,
    /// Its author.
    pub account: AccountRow,
    /// What it answers, if that is known.
    pub parent: Option<ReferredPost>,
    /// The id of what it answered when it was last said, if the row of that is gone.
    #[serde(skip)]
    pub answered: Option<String>,
    /// What it boosts.
    pub original: Option<ReferredPost>,
    /// What it quotes, if the author of that lets it.
    #[serde(default)]
    pub quoted: Option<ReferredPost>,
    /// Whom it mentions, in their order.
    pub mentions: Vec<MentionRow>,
    /// Its hashtags, without `#`.
    pub tags: Vec<String>,
    /// What is attached, in the author's order.
    pub media: Vec<MediaRow>,
    /// The poll in it.
    pub poll: Option<PollRow>,
}

/// An account with what it shows of itself, and what moderators did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ProfileRow {
    /// What its ids are made of.
    #[serde(flatten)]
    pub account: AccountRow,
    /// The name it is shown under.
    #[serde(default)]
    pub display_name: String,
    /// What it says of itself: HTML of a remote one, plain text of a local one.
    #[serde(default)]
    pub note: String,
    /// Its page.
    #[serde(default)]
    pub url: Option<String>,
    /// Where its server has the avatar.
    #[serde(default)]
    pub avatar_remote_url: Option<String>,
    /// Where its server has the header image.
    #[serde(default)]
    pub header_remote_url: Option<String>,
    /// Whether it approves its followers.
    #[serde(default)]
    pub locked: bool,
    /// The type of the actor.
    #[serde(default)]
    pub actor_type: Option<String>,
    /// Whether it wants to be found.
    #[serde(default)]
    pub discoverable: Option<bool>,
    /// Whether moderators limited it.
    #[serde(default)]
    pub is_silenced: bool,
    /// Whether it is suspended.
    #[serde(default)]
    pub is_suspended: bool,
    /// The settings of its user; none if it has no user.
    #[serde(default)]
    pub user: Option<UserRow>,
}

/// The user of a local account, as far as feeds go by it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct UserRow {
    /// The languages it reads; none: all.
    #[serde(default)]
    pub chosen_languages: Option<Vec<String>>,
    /// A JSON object of choices; those left at their defaults are absent.
    #[serde(default)]
    pub settings: Option<String>,
}

/// The tables of relations: all have an `id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RelationTable {
    /// `follows`.
    Follows,
    /// `mutes`.
    Mutes,
    /// `blocks`.
    Blocks,
    /// `account_domain_blocks`.
    AccountDomainBlocks,
    /// `lists`.
    Lists,
    /// `list_accounts`.
    ListAccounts,
    /// `tag_follows`.
    TagFollows,
    /// `domain_blocks`.
    DomainBlocks,
}

/// A row of a relation: of each table the columns that it has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct RelationRow {
    /// Whose it is, or who blocks.
    #[serde(default)]
    pub by: Option<AccountRow>,
    /// Whom it is about.
    #[serde(default)]
    pub target: Option<AccountRow>,
    /// A domain.
    #[serde(default)]
    pub domain: Option<String>,
    /// A hashtag, without `#`.
    #[serde(default)]
    pub tag: Option<String>,
    /// A list's id.
    #[serde(default)]
    pub list: Option<i64>,
    /// A list's title.
    #[serde(default)]
    pub title: Option<String>,
    /// Whether boosts are wanted.
    #[serde(default)]
    pub boosts: Option<bool>,
    /// The languages wanted.
    #[serde(default)]
    pub languages: Option<Vec<String>>,
    /// When a mute ends, in milliseconds since 1970.
    #[serde(default)]
    pub until: Option<i64>,
    /// Which answers a list shows.
    #[serde(default)]
    pub replies_policy: Option<i32>,
    /// Whether a list's members are only there.
    #[serde(default)]
    pub exclusive: Option<bool>,
    /// Whether a member of a list is followed, and not only to be.
    #[serde(default)]
    pub has_follow: Option<bool>,
    /// What a domain block does.
    #[serde(default)]
    pub severity: Option<i32>,
}

impl RelationTable {
    /// All.
    pub const ALL: [RelationTable; 8] = [
        RelationTable::Follows,
        RelationTable::Mutes,
        RelationTable::Blocks,
        RelationTable::AccountDomainBlocks,
        RelationTable::Lists,
        RelationTable::ListAccounts,
        RelationTable::TagFollows,
        RelationTable::DomainBlocks,
    ];

    /// The table's name.
    pub const fn name(self) -> &'static str {
        match self {
            RelationTable::Follows => "follows",
            RelationTable::Mutes => "mutes",
            RelationTable::Blocks => "blocks",
            RelationTable::AccountDomainBlocks => "account_domain_blocks",
            RelationTable::Lists => "lists",
            RelationTable::ListAccounts => "list_accounts",
            RelationTable::TagFollows => "tag_follows",
            RelationTable::DomainBlocks => "domain_blocks",
        }
    }

    /// The table of this name.
    pub fn named(name: &str) -> Option<RelationTable> {
        RelationTable::ALL
            .into_iter()
            .find(|table| table.name() == name)
    }
}

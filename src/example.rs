//! Posts for tests of what is made of them.

use slackwater_engine::activity::PostContent;
use slackwater_engine::feed::post::Post;
use slackwater_engine::record::offsets::LogPos;
use slackwater_order::place::PostId;
use slackwater_order::time::Time;

/// A public post by `author`, without words.
pub(crate) fn post(author: &str) -> Post {
    let body = PostContent::new(format!("{author}/1"), author.to_owned());
    Post::new(PostId::MIN, body, Time::default(), LogPos::FIRST)
}

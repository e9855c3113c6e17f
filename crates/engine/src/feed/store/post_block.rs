//! Posts packed together, so that sled keeps values of some kilobytes and not a row a post. Pure.
//!
//! A block holds the posts of a range of places, ascending: a version byte, the place above which its range begins, a
//! table of ids and lengths, then the posts. One is found and decoded without touching the others: each is compressed
//! by itself, since a page shows posts of many blocks, and a block that is rewritten must not be compressed again. The
//! store keys a block by the last place of its range (ranges need only be found forwards).

use crate::feed::post::Post;
use slackwater_order::place::PostId;

/// Version 1 had posts without whether they are in feeds, version 2 had them uncompressed, version 3 without whom they
/// answer, version 4 without the collections they are addressed to, version 5 without whether they have media.
const VERSION: u8 = 6;
const HEADER: usize = 1 + 8 + 4;
const ROW: usize = 8 + 4;
const LENGTH: usize = 4;
/// LZ4 makes of one byte at most this many.
const EXPANSION_MAX: usize = 255;

/// About how many bytes of posts a block holds before it is split. Small enough that reading one post stays cheap,
/// large enough that sled's overhead per value does not matter.
pub const SPLIT_BYTES: usize = 8 << 10;

/// A block as it is stored.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    above: PostId,
    table: &'a [u8],
    posts: &'a [u8],
}

impl<'a> Block<'a> {
    /// Reads a stored block. None if the bytes are not one.
    pub fn read(bytes: &'a [u8]) -> Option<Block<'a>> {
        let (header, rest) = bytes.split_at_checked(HEADER)?;
        let (version, header) = header.split_first()?;
        if *version != VERSION {
            return None;
        }
        let (above, count) = header.split_at_checked(8)?;
        let above = PostId::from_number(u64::from_le_bytes(above.try_into().ok()?))?;
        let count = usize::try_from(u32::from_le_bytes(count.try_into().ok()?)).ok()?;
        let (table, posts) = rest.split_at_checked(count.checked_mul(ROW)?)?;
        Some(Block {
            above,
            table,
            posts,
        })
    }

    /// The place above which its range began when it was written; the range may have shrunk from below since.
    pub fn above(&self) -> PostId {
        self.above
    }

    /// The packed bytes of each post with its id, ascending.
    pub fn rows(&self) -> impl Iterator<Item = (PostId, &'a [u8])> + '_ {
        let mut rest = self.posts;
        self.table.chunks_exact(ROW).map_while(move |row| {
            let (id, length) = row.split_at_checked(8)?;
            let id = PostId::from_number(u64::from_le_bytes(id.try_into().ok()?))?;
            let length = usize::try_from(u32::from_le_bytes(length.try_into().ok()?)).ok()?;
            let (post, after) = rest.split_at_checked(length)?;
            rest = after;
            Some((id, post))
        })
    }

    /// The packed bytes of one post.
    pub fn find(&self, id: PostId) -> Option<&'a [u8]> {
        self.rows()
            .find(|(there, _)| *there == id)
            .map(|(_, post)| post)
    }
}

/// The bytes of a block holding `rows`, ascending, whose range begins above `above`.
pub fn pack<B: AsRef<[u8]>>(above: PostId, rows: &[(PostId, B)]) -> Vec<u8> {
    let posts: usize = rows.iter().map(|(_, post)| post.as_ref().len()).sum();
    let mut bytes = Vec::with_capacity(HEADER + rows.len() * ROW + posts);
    bytes.push(VERSION);
    bytes.extend_from_slice(&above.number().to_le_bytes());
    bytes.extend_from_slice(&u32::try_from(rows.len()).unwrap_or(u32::MAX).to_le_bytes());
    for (id, post) in rows {
        bytes.extend_from_slice(&id.number().to_le_bytes());
        bytes.extend_from_slice(
            &u32::try_from(post.as_ref().len())
                .unwrap_or(u32::MAX)
                .to_le_bytes(),
        );
    }
    for (_, post) in rows {
        bytes.extend_from_slice(post.as_ref());
    }
    bytes
}

/// Where to split rows so that each part but the last holds at least one post and about [`SPLIT_BYTES`]: the lengths
/// of the parts.
pub fn split<B: AsRef<[u8]>>(rows: &[(PostId, B)]) -> Vec<usize> {
    let mut parts = Vec::new();
    let (mut rows_here, mut bytes_here) = (0, 0);
    for (_, post) in rows {
        let length = post.as_ref().len();
        if 0 < rows_here && SPLIT_BYTES < bytes_here + length {
            parts.push(rows_here);
            (rows_here, bytes_here) = (0, 0);
        }
        rows_here += 1;
        bytes_here += length;
    }
    if 0 < rows_here {
        parts.push(rows_here);
    }
    parts
}

/// A post as it is packed into a block: its length as four bytes, then itself compressed. LZ4, because reading must
/// cost next to nothing; what repeats in a post (its author's URL, its words in `contentMap` again) is most of it.
pub fn encode(post: &Post) -> Result<Vec<u8>, postcard::Error> {
    let plain = postcard::to_stdvec(post)?;
    let length = u32::try_from(plain.len()).map_err(|_| postcard::Error::SerializeBufferFull)?;
    let mut bytes = vec![0; LENGTH + lz4_flex::block::get_maximum_output_size(plain.len())];
    let (head, rest) = bytes.split_at_mut(LENGTH);
    head.copy_from_slice(&length.to_le_bytes());
    let compressed =
        lz4_flex::compress_into(&plain, rest).map_err(|_| postcard::Error::SerializeBufferFull)?;
    bytes.truncate(LENGTH + compressed);
    // A checkpoint holds thousands of them at once.
    bytes.shrink_to_fit();
    Ok(bytes)
}

/// A post out of a block. None if the bytes are not one.
pub fn decode(bytes: &[u8]) -> Option<Post> {
    let (length, compressed) = bytes.split_at_checked(LENGTH)?;
    let length = usize::try_from(u32::from_le_bytes(length.try_into().ok()?)).ok()?;
    // Damaged bytes must not ask for memory that no post of their length could need.
    if compressed.len().saturating_mul(EXPANSION_MAX) < length {
        return None;
    }
    let plain = lz4_flex::decompress(compressed, length).ok()?;
    if plain.len() != length {
        return None;
    }
    postcard::from_bytes(&plain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::post::example;
    use proptest::prelude::*;

    fn id(n: u64) -> PostId {
        PostId::from_number(n).unwrap()
    }

    #[test]
    fn a_post_is_found_without_the_others() {
        let rows = [
            (id(3), b"three".to_vec()),
            (id(5), vec![]),
            (id(9), b"nine".to_vec()),
        ];
        let bytes = pack(id(2), &rows);
        let block = Block::read(&bytes).unwrap();
        assert_eq!(block.above(), id(2));
        assert_eq!(block.find(id(3)), Some(&b"three"[..]));
        assert_eq!(block.find(id(5)), Some(&b""[..]));
        assert_eq!(block.find(id(9)), Some(&b"nine"[..]));
        assert_eq!(block.find(id(4)), None);
    }

    #[test]
    fn a_long_block_is_split_and_a_post_is_never() {
        let row = |n: u64, bytes: usize| (id(n), vec![0; bytes]);
        assert_eq!(split::<Vec<u8>>(&[]), Vec::<usize>::new());
        assert_eq!(split(&[row(1, SPLIT_BYTES), row(2, 1)]), vec![1, 1]);
        assert_eq!(
            split(&[row(1, 1), row(2, 10 * SPLIT_BYTES), row(3, 1)]),
            vec![1, 1, 1]
        );
        assert_eq!(
            split(&[row(1, 10), row(2, 10), row(3, SPLIT_BYTES - 20)]),
            vec![3]
        );
    }

    #[test]
    fn a_block_of_another_version_is_refused() {
        let mut bytes = pack(id(2), &[(id(3), b"three")]);
        for other in [0, VERSION - 1, VERSION + 1] {
            bytes[0] = other;
            assert!(Block::read(&bytes).is_none(), "version {other}");
        }
    }

    #[test]
    fn a_post_is_packed_smaller_and_comes_back_as_it_was() {
        let mut post = example::post("https://a.example/users/ana");
        for words in [0, 1, 1_000] {
            let json = format!("{{\"content\":\"{}\"}}", "low tide ".repeat(words));
            post.body.object = serde_json::value::RawValue::from_string(json).unwrap();
            let packed = encode(&post).unwrap();
            let plain = postcard::to_stdvec(&post).unwrap();
            assert!(packed.len() <= plain.len() + LENGTH + 1);
            assert!(words < 2 || packed.len() * 20 < plain.len());
            let back = decode(&packed).unwrap();
            assert_eq!(postcard::to_stdvec(&back).unwrap(), plain);
        }
    }

    #[test]
    fn a_damaged_post_asks_for_no_more_memory_than_it_could_need() {
        let mut packed = encode(&example::post("https://a.example/users/ana")).unwrap();
        packed[..LENGTH].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(decode(&packed).is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(block) = Block::read(&bytes) {
                prop_assert!(block.rows().count() <= bytes.len());
            }
            decode(&bytes);
        }

        #[test]
        fn a_post_cut_off_or_changed_is_read_without_harm(at in 0usize..300, byte: u8) {
            let mut packed = encode(&example::post("https://a.example/users/ana")).unwrap();
            let at = at % packed.len();
            packed[at] = byte;
            decode(&packed);
            prop_assert!(decode(&packed[..at]).is_none());
        }
    }
}

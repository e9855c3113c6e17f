//! Who gets a post, and every feed kept sorted, in memory and on disk.

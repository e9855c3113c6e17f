//! JSON as servers write it: one lenient reader for activities, actors, relations and what clients are shown. Pure.
//!
//! JSON from outside is validated once ([`Input`]), and from then on read in its text: a [`LooseValue`] is a piece of valid
//! JSON, and [`ObjectFields`] are the fields of one object, found once. A value of the wrong shape is no error but none, and
//! the caller decides what a missing field costs. Of two fields of one name the last counts, as in JavaScript, so that the
//! decoder and a client understand the same.
//!
//! No tree of values is built: most of a post is never read, and decoding is what costs most for each record.

mod fields;
mod input;
mod name;
mod scan;
mod validate;
mod value;

pub use fields::ObjectFields;
pub(crate) use input::Input;
pub use name::FieldName;
pub use value::{LooseValue, WHOLE_MAX};

fn not_json(error: &serde_json::Error) -> String {
    format!("it is not JSON that can be read ({error}): send one ActivityStreams object")
}

#[cfg(test)]
mod tests;

//! JSON as servers write it: one lenient reader for activities, actors, relations and what clients are shown. Pure.
//!
//! JSON from outside is validated once ([`Input`]), and from then on looked into where it stands: a [`LooseValue`] is a piece
//! of valid JSON that is read when it is asked for something, and [`ObjectFields`] are those of one object, found once. A
//! value of the wrong shape is no error: it is nothing, and whoever looks for a field decides what that costs. Of two fields
//! of one name the last counts, as in JavaScript, so that what is understood is what a client sees.
//!
//! Nothing is built for what nobody looks at. Most of a post is such, so this takes about as long as validating it does; a
//! tree of all its values took twice as long.

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

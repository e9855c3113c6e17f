//! A made-up fediverse, the same for the same seed: events with the times at which they arrive, and their JSON.
//!
//! | module | what it is |
//! |---|---|
//! | [`origin`] | hosts, and how late what they send arrives |
//! | [`world`] | who lives where: origins, actors, local accounts |
//! | [`event`] | what one record of the log says, by number, and its JSON |
//! | [`history`] | the events drawn from a seed, in their order of arrival |
//! | [`json`] | the one writer of activities, actors and relations, as servers and backends send them |
//!
//! Nothing here knows the service. What feeds must be is for the models of the tests to say.

pub mod date;
pub mod event;
pub mod history;
pub mod json;
pub mod origin;
pub mod world;

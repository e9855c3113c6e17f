//! The service from outside: most of these start the real binary. One program for all, with a module for each subject,
//! so that what they share is compiled and linked once.
//!
//! ```text
//! cargo test --test it                everything here
//! cargo test --test it kafka::        one subject
//! ```
//!
//! They run in one process, beside each other: what a test changes of a process (limits, its environment, its folder) it
//! changes of one that it starts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on should stop; clippy.toml knows only what is inside #[test]"
)]

mod afternoon;
mod arrival;
mod asleep;
mod bad_input;
mod beside_mastodon;
mod clients;
mod clusters;
mod command_line;
mod commands;
mod compare;
mod compose;
mod connector;
mod copy_log;
mod corpus;
mod crash;
mod cursors;
mod daily_comparison;
mod database;
mod dead_letters;
mod decode;
mod demo;
mod desk;
mod disk;
mod doctor;
mod documents;
mod heard;
mod held_up;
mod hydration;
mod inbox;
mod kafka;
mod letters;
mod load_balancer;
mod logs;
mod mastodon;
mod mastodon_mock;
mod member;
mod merge_rules;
mod metrics;
mod nginx;
mod node_letters;
mod nodes;
mod nodes_topic;
mod objects;
mod old_data;
mod operate;
mod packaging;
mod passing_on;
mod patience;
mod previews;
mod prometheus;
mod ref_places;
mod refs;
mod relation_sets;
mod relay;
mod rules;
mod schemas;
mod shapes;
mod signals;
mod streams;
mod support;
mod tokens;
mod traces;
mod tune;
mod waking;

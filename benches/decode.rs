//! Decoding: a Mastodon Note of 2 KB in its Create, one thread.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use slackwater_engine::activity::parse::decode;
use slackwater_engine::record::Vouched;
use std::hint::black_box;

fn bench(c: &mut Criterion) {
    let json = support::create_json(7, 7).into_bytes();
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Bytes(json.len() as u64));
    group.bench_function("Create of a Note", |b| {
        b.iter(|| decode(black_box(&json), Vouched::default()).unwrap());
    });
    let like = br#"{"@context":"https://www.w3.org/ns/activitystreams","id":"https://a.example/likes/1","type":"Like","actor":"https://a.example/users/ana","object":"https://b.example/posts/1"}"#;
    group.throughput(Throughput::Bytes(like.len() as u64));
    group.bench_function("Like, ignored", |b| {
        b.iter(|| decode(black_box(like), Vouched::default()).unwrap());
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);

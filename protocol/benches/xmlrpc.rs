//! The largest request that the hub takes, and a typical large reply.

#![allow(clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde::Serialize;
use toji_protocol::value::{Map, Value};
use toji_protocol::xmlrpc::{decode_call, encode_call, encode_response};

/// MaxRequestLength of Koji's hub.
const MAX_REQUEST: usize = 4 << 20;

/// A multicall of `getBuild`s, as `koji` sends for a long list.
fn multicall() -> Vec<u8> {
    let entry = |n: i64| {
        let params = vec![
            Value::from(format!("package-{n}-1.0-1.fc42")),
            Map::from_iter([("__starstar".to_owned(), true.into())]).into(),
        ];
        Value::from(Map::from_iter([
            ("methodName".to_owned(), "getBuild".into()),
            ("params".to_owned(), params.into()),
        ]))
    };
    let size = |entries: i64| encode_call("multiCall", &[Value::Array((0..entries).map(entry).collect())]).unwrap();
    let each = size(1001).len() - size(1).len();
    size((MAX_REQUEST * 1000 / each) as i64)
}

#[derive(Serialize)]
struct Build {
    id: i64,
    name: &'static str,
    nvr: String,
    epoch: Option<i64>,
    state: i32,
    completion_ts: f64,
    completion_time: &'static str,
}

fn xmlrpc(criterion: &mut Criterion) {
    let document = multicall();
    let mut group = criterion.benchmark_group("xmlrpc");
    group.throughput(Throughput::Bytes(document.len() as u64));
    group.bench_function("decode a 4 MiB multicall", |b| b.iter(|| decode_call(black_box(&document)).unwrap()));

    let builds = (0..1000)
        .map(|id| Build {
            id,
            name: "package",
            nvr: format!("package-{id}-1.0-1.fc42"),
            epoch: None,
            state: 1,
            completion_ts: 1_735_689_600.123_456,
            completion_time: "2025-01-01 00:00:00.123456+00:00",
        })
        .collect::<Vec<_>>();
    group.throughput(Throughput::Elements(builds.len() as u64));
    group.bench_function("encode 1,000 builds", |b| b.iter(|| encode_response(black_box(&builds)).unwrap()));
}

criterion_group!(benches, xmlrpc);
criterion_main!(benches);

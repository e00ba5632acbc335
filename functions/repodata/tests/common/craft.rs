//! RPMs that rpmbuild would not make: a real one with its header's tags replaced.

use std::collections::BTreeMap;

use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha256;

#[derive(Debug, Clone)]
pub enum Value {
    I16(Vec<u16>),
    I32(Vec<u32>),
    I64(Vec<u64>),
    Text(Vec<u8>),
    Bytes(Vec<u8>),
    Texts(Vec<Vec<u8>>),
    I18n(Vec<Vec<u8>>),
}

pub type Tags = BTreeMap<u32, Value>;

pub fn texts(values: &[&[u8]]) -> Value {
    Value::Texts(values.iter().map(|value| value.to_vec()).collect())
}

/// Sets the three arrays of one kind of dependency.
pub fn dependencies(tags: &mut Tags, (name, flags, version): (u32, u32, u32), items: &[(&str, u32, &str)]) {
    tags.insert(name, Value::Texts(items.iter().map(|item| item.0.into()).collect()));
    tags.insert(flags, Value::I32(items.iter().map(|item| item.1).collect()));
    tags.insert(version, Value::Texts(items.iter().map(|item| item.2.into()).collect()));
}

/// A copy of `rpm` with its main header changed and the digests in its signature header put right.
pub fn modify(rpm: &[u8], change: impl FnOnce(&mut Tags)) -> Vec<u8> {
    let (mut signature, signature_end) = parse(rpm, 96);
    let (mut header, header_end) = parse(rpm, signature_end.next_multiple_of(8));
    change(&mut header);
    let body = encode(&header, 63);
    let payload = &rpm[header_end..];
    signature.insert(269, Value::Text(hex::encode(Sha1::digest(&body)).into()));
    signature.insert(273, Value::Text(hex::encode(Sha256::digest(&body)).into()));
    let mut whole = Md5::new();
    whole.update(&body);
    whole.update(payload);
    signature.insert(1004, Value::Bytes(whole.finalize().to_vec()));
    signature.insert(1000, Value::I32(vec![(body.len() + payload.len()) as u32]));
    signature.remove(&1008);
    let mut out = rpm[..96].to_vec();
    out.extend(encode(&signature, 62));
    out.resize(out.len().next_multiple_of(8), 0);
    out.extend(body);
    out.extend(payload);
    out
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}

fn parse(rpm: &[u8], start: usize) -> (Tags, usize) {
    let (count, size) = (number(&rpm[start + 8..start + 12]), number(&rpm[start + 12..start + 16]));
    let store_start = start + 16 + 16 * count;
    let store = &rpm[store_start..store_start + size];
    let mut tags = Tags::new();
    for entry in rpm[start + 16..store_start].chunks(16) {
        let (tag, kind) = (number(&entry[..4]) as u32, number(&entry[4..8]));
        let (offset, count) = (number(&entry[8..12]), number(&entry[12..16]));
        if tag == 62 || tag == 63 {
            continue;
        }
        let strings = || store[offset..].split(|byte| *byte == 0).take(count).map(<[u8]>::to_vec).collect::<Vec<_>>();
        let numbers = |width: usize| store[offset..offset + count * width].chunks(width).map(number);
        let value = match kind {
            3 => Value::I16(numbers(2).map(|number| number as u16).collect()),
            4 => Value::I32(numbers(4).map(|number| number as u32).collect()),
            5 => Value::I64(numbers(8).map(|number| number as u64).collect()),
            6 => Value::Text(strings().remove(0)),
            7 => Value::Bytes(store[offset..offset + count].to_vec()),
            8 => Value::Texts(strings()),
            9 => Value::I18n(strings()),
            other => panic!("tag {tag} has type {other}"),
        };
        tags.insert(tag, value);
    }
    (tags, store_start + size)
}

fn encode(tags: &Tags, region: u32) -> Vec<u8> {
    let (mut index, mut store) = (Vec::new(), Vec::new());
    for (tag, value) in tags {
        let (kind, align) = match value {
            Value::I16(_) => (3, 2),
            Value::I32(_) => (4, 4),
            Value::I64(_) => (5, 8),
            Value::Text(_) => (6, 1),
            Value::Bytes(_) => (7, 1),
            Value::Texts(_) => (8, 1),
            Value::I18n(_) => (9, 1),
        };
        store.resize(store.len().next_multiple_of(align), 0);
        let offset = store.len();
        let count = match value {
            Value::I16(numbers) => {
                store.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
                numbers.len()
            }
            Value::I32(numbers) => {
                store.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
                numbers.len()
            }
            Value::I64(numbers) => {
                store.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
                numbers.len()
            }
            Value::Text(text) => {
                store.extend(text);
                store.push(0);
                1
            }
            Value::Bytes(bytes) => {
                store.extend(bytes);
                bytes.len()
            }
            Value::Texts(texts) | Value::I18n(texts) => {
                for text in texts {
                    store.extend(text);
                    store.push(0);
                }
                texts.len()
            }
        };
        index.push([*tag, kind, offset as u32, count as u32]);
    }
    let region_entry = [region, 7, store.len() as u32, 16];
    let size = (-16 * (index.len() as i32 + 1)) as u32;
    store.extend([region, 7, size, 16].iter().flat_map(|number| number.to_be_bytes()));
    index.insert(0, region_entry);
    let mut out = vec![0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0];
    out.extend((index.len() as u32).to_be_bytes());
    out.extend((store.len() as u32).to_be_bytes());
    out.extend(index.iter().flatten().flat_map(|number| number.to_be_bytes()));
    out.extend(store);
    out
}

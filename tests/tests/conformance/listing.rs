//! Lists of objects, and deleting by list.

use aws_sdk_s3::types::{Delete, EncodingType, ObjectIdentifier};

use crate::target::{Target, code};

pub(crate) async fn a_delimiter_rolls_up(target: &Target) {
    for key in ["a", "b/1", "b/2", "b/c/3", "c", "d/4"] {
        target.put(key, "").await;
    }
    let list = || target.s3.list_objects_v2().bucket(&target.bucket);
    let lines = |page: aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output| {
        let keys = page.contents().iter().filter_map(|object| object.key().map(str::to_owned));
        let keys: Vec<_> = keys.collect();
        let prefixes = page.common_prefixes().iter();
        let prefixes: Vec<_> = prefixes.filter_map(|prefix| prefix.prefix().map(str::to_owned)).collect();
        (keys.join(" "), prefixes.join(" "))
    };
    let page = list().delimiter("/").send().await.unwrap();
    assert_eq!((page.key_count(), page.is_truncated()), (Some(4), Some(false)));
    assert_eq!(lines(page), ("a c".into(), "b/ d/".into()));
    let page = list().delimiter("/").prefix("b/").send().await.unwrap();
    assert_eq!(lines(page), ("b/1 b/2".into(), "b/c/".into()));
    let page = list().prefix("b/").send().await.unwrap();
    assert_eq!(lines(page), ("b/1 b/2 b/c/3".into(), String::new()));
    let page = list().start_after("b/2").send().await.unwrap();
    assert_eq!(lines(page), ("b/c/3 c d/4".into(), String::new()));
    let page = list().prefix("none").send().await.unwrap();
    assert_eq!(lines(page), (String::new(), String::new()));
}

pub(crate) async fn pages_follow_each_other(target: &Target) {
    let mut expected = Vec::new();
    for folder in 0..4 {
        for file in 0..3 {
            target.put(&format!("f{folder}/{file}"), "x").await;
        }
        target.put(&format!("k{folder}"), "x").await;
    }
    expected.extend((0..4).map(|i| format!("f{i}/")));
    expected.extend((0..4).map(|i| format!("k{i}")));
    for size in [1, 3, 8] {
        let list = target.s3.list_objects_v2().bucket(&target.bucket).delimiter("/");
        let mut pages = list.max_keys(size).into_paginator().send();
        let (mut seen, mut count) = (Vec::new(), 0);
        while let Some(page) = pages.next().await {
            let page = page.unwrap();
            assert!(page.contents().len() + page.common_prefixes().len() <= size as usize);
            seen.extend(page.common_prefixes().iter().filter_map(|p| p.prefix().map(str::to_owned)));
            seen.extend(page.contents().iter().filter_map(|o| o.key().map(str::to_owned)));
            count += 1;
        }
        assert_eq!(seen, expected, "pages of {size}");
        assert_eq!(count, 8_usize.div_ceil(size as usize));
    }
}

pub(crate) async fn a_wrong_token_is_refused(target: &Target) {
    let bad = target.s3.list_objects_v2().bucket(&target.bucket).continuation_token("no token");
    assert_eq!(code!(bad.send().await), "InvalidArgument");
}

pub(crate) async fn names_can_be_encoded(target: &Target) {
    target.put("a+b c/ü\u{1}", "").await;
    let list = target.s3.list_objects_v2().bucket(&target.bucket).encoding_type(EncodingType::Url);
    let page = list.send().await.unwrap();
    assert_eq!(page.encoding_type(), Some(&EncodingType::Url));
    let key = page.contents()[0].key().unwrap();
    // S3 spells a blank as `+`, others as `%20`; every client reads both.
    assert_eq!(key.replace("%20", "+"), "a%2Bb+c/%C3%BC%01");
}

pub(crate) async fn many_are_deleted_at_once(target: &Target) {
    let keys: Vec<String> = (0..20).map(|i| format!("gcc-c++ {i}")).collect();
    for key in &keys[..10] {
        target.put(key, "").await;
    }
    target.put("kept", "").await;
    let delete = Delete::builder();
    let named = keys.iter().map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    let delete = delete.set_objects(Some(named.collect())).build().unwrap();
    let deleted = target.s3.delete_objects().bucket(&target.bucket).delete(delete);
    let deleted = deleted.send().await.unwrap();
    assert_eq!((deleted.deleted().len(), deleted.errors().len()), (20, 0));
    let left = target.s3.list_objects_v2().bucket(&target.bucket).send().await.unwrap();
    assert_eq!(left.contents().len(), 1);
}

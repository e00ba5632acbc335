//! Server-side copies.

use aws_sdk_s3::types::{ChecksumMode, ChecksumType, MetadataDirective};

use crate::multipart::upload_of;
use crate::target::{Target, bytes, code, md5};

/// A key as it stands in `x-amz-copy-source`.
pub(crate) fn encoded(key: &str) -> String {
    let mut encoded = String::new();
    for byte in key.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

pub(crate) async fn a_copy_has_the_content_and_the_headers(target: &Target) {
    let (s3, bucket) = (&target.s3, &target.bucket);
    let put = s3.put_object().bucket(bucket).key("from").content_type("text/x").metadata("a", "b");
    let put = put.body(b"hello".to_vec().into()).send().await.unwrap();
    let copy = s3.copy_object().bucket(bucket).key("to").copy_source(format!("{bucket}/from"));
    let copied = copy.send().await.unwrap();
    assert_eq!(copied.copy_object_result().unwrap().e_tag(), put.e_tag());
    s3.delete_object().bucket(bucket).key("from").send().await.unwrap();

    let head = s3.head_object().bucket(bucket).key("to").send().await.unwrap();
    assert_eq!((head.content_type(), head.content_length()), (Some("text/x"), Some(5)));
    assert_eq!(head.metadata().unwrap()["a"], "b");
    assert_eq!(target.content("to").await, b"hello");
}

pub(crate) async fn a_copy_can_have_new_headers(target: &Target) {
    let (s3, bucket) = (&target.s3, &target.bucket);
    let put = s3.put_object().bucket(bucket).key("k").metadata("a", "b");
    put.body(b"hello".to_vec().into()).send().await.unwrap();
    let source = format!("{bucket}/k");
    let copy = || s3.copy_object().bucket(bucket).key("k").copy_source(&source);
    assert_eq!(code!(copy().send().await), "InvalidRequest", "it would change nothing");
    let copy = copy().metadata_directive(MetadataDirective::Replace).content_type("text/y");
    copy.metadata("c", "d").send().await.unwrap();
    let head = s3.head_object().bucket(bucket).key("k").send().await.unwrap();
    assert_eq!(head.content_type(), Some("text/y"));
    let metadata = head.metadata().unwrap();
    assert_eq!((metadata.len(), metadata["c"].as_str()), (1, "d"));
    assert_eq!(target.content("k").await, b"hello");
}

pub(crate) async fn sources_are_decoded_once(target: &Target) {
    let (s3, bucket) = (&target.s3, &target.bucket);
    for key in ["gcc-c++-13~rc1^git.rpm", "a%2Bb", "a b/ü?x", "deep/../er"] {
        target.put(key, key).await;
        let source = format!("{bucket}/{}", encoded(key));
        let copy = s3.copy_object().bucket(bucket).key("to").copy_source(source);
        copy.send().await.unwrap();
        assert_eq!(target.content("to").await, key.as_bytes());
    }
}

pub(crate) async fn copies_can_be_refused(target: &Target) {
    let (s3, bucket) = (&target.s3, &target.bucket);
    target.put("from", "hello").await;
    let copy = |source: &str| s3.copy_object().bucket(bucket).key("to").copy_source(format!("{bucket}/{source}"));
    assert_eq!(code!(copy("absent").send().await), "NoSuchKey");
    let other = copy("from").copy_source_if_match("\"other\"");
    assert_eq!(code!(other.send().await), "PreconditionFailed");
    let same = copy("from").copy_source_if_match(format!("\"{}\"", md5(b"hello")));
    same.send().await.unwrap();
}

pub(crate) async fn a_copied_multipart_object_is_an_ordinary_one(target: &Target) {
    let (s3, bucket) = (&target.s3, &target.bucket);
    let content = bytes(6_000_000);
    upload_of(target, "from", &[&content[..5_500_000], &content[5_500_000..]]).await;
    let copy = s3.copy_object().bucket(bucket).key("to").copy_source(format!("{bucket}/from"));
    copy.send().await.unwrap();
    let head = s3.head_object().bucket(bucket).key("to").checksum_mode(ChecksumMode::Enabled);
    let head = head.send().await.unwrap();
    assert_eq!(head.checksum_type(), Some(&ChecksumType::FullObject));
    assert_eq!(head.checksum_sha256(), Some(crate::target::sha256(&content).as_str()));
    assert!(target.content("to").await == content);
}

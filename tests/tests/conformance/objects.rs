//! Single objects.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, ChecksumType};
use base64::Engine as _;

use crate::target::{Target, bytes, code, md5, sha256};

pub(crate) async fn an_object_keeps_what_it_is_given(target: &Target) {
    let (s3, bucket) = (&target.s3, &target.bucket);
    let put = s3
        .put_object()
        .bucket(bucket)
        .key("a/b.log")
        .body(ByteStream::from_static(b"hello"))
        .content_type("text/plain; charset=utf-8")
        .content_encoding("zstd")
        .content_disposition("inline")
        .cache_control("max-age=1")
        .metadata("task", "7")
        .send()
        .await
        .unwrap();
    let etag = format!("\"{}\"", md5(b"hello"));
    assert_eq!(put.e_tag(), Some(etag.as_str()));

    let got = s3.get_object().bucket(bucket).key("a/b.log").send().await.unwrap();
    assert_eq!(got.content_type(), Some("text/plain; charset=utf-8"));
    assert_eq!(got.content_encoding(), Some("zstd"));
    assert_eq!(got.content_disposition(), Some("inline"));
    assert_eq!(got.cache_control(), Some("max-age=1"));
    assert_eq!(got.metadata().unwrap()["task"], "7");
    assert_eq!((got.content_length(), got.e_tag()), (Some(5), Some(etag.as_str())));
    assert_eq!(got.body.collect().await.unwrap().to_vec(), b"hello");

    let head = s3.head_object().bucket(bucket).key("a/b.log").send().await.unwrap();
    assert_eq!((head.content_length(), head.e_tag()), (Some(5), Some(etag.as_str())));
    assert_eq!(head.metadata().unwrap()["task"], "7");
    assert!(head.last_modified().is_some());

    target.put("a/b.log", "again").await;
    let got = s3.get_object().bucket(bucket).key("a/b.log").send().await.unwrap();
    assert_eq!(got.content_type(), Some("application/octet-stream"), "the client's default");
    assert!(got.metadata().is_none_or(|metadata| metadata.is_empty()));

    target.put("empty", "").await;
    assert_eq!(target.content("empty").await, b"");
    for _ in 0..2 {
        s3.delete_object().bucket(bucket).key("empty").send().await.unwrap();
    }
    assert_eq!(code!(s3.head_object().bucket(bucket).key("empty").send().await), "NotFound");
}

pub(crate) async fn missing_things_are_told_apart(target: &Target) {
    let (s3, bucket) = (&target.s3, &target.bucket);
    let absent = &format!("{bucket}-absent");
    assert_eq!(code!(s3.get_object().bucket(bucket).key("absent").send().await), "NoSuchKey");
    assert_eq!(code!(s3.get_object().bucket(absent).key("absent").send().await), "NoSuchBucket");
    assert_eq!(code!(s3.put_object().bucket(absent).key("k").send().await), "NoSuchBucket");
    assert_eq!(code!(s3.list_objects_v2().bucket(absent).send().await), "NoSuchBucket");
    assert_eq!(code!(s3.head_bucket().bucket(absent).send().await), "NotFound");
    s3.head_bucket().bucket(bucket).send().await.unwrap();
    let long = "k".repeat(1025);
    assert_eq!(code!(s3.put_object().bucket(bucket).key(long).send().await), "KeyTooLongError");
}

pub(crate) async fn writes_can_be_conditional(target: &Target) {
    let put = |body: &'static [u8]| {
        let put = target.s3.put_object().bucket(&target.bucket).key("k");
        put.body(ByteStream::from_static(body))
    };
    assert_eq!(code!(put(b"0").if_match("\"x\"").send().await), "NoSuchKey");
    let first = put(b"1").if_none_match("*").send().await.unwrap();
    assert_eq!(code!(put(b"2").if_none_match("*").send().await), "PreconditionFailed");
    assert_eq!(target.content("k").await, b"1");
    put(b"3").if_match(first.e_tag().unwrap()).send().await.unwrap();
    assert_eq!(code!(put(b"4").if_match(first.e_tag().unwrap()).send().await), "PreconditionFailed");
    assert_eq!(target.content("k").await, b"3");
}

pub(crate) async fn one_of_many_conditional_writes_wins(target: &Target) {
    let mut puts = tokio::task::JoinSet::new();
    for writer in 0..16 {
        let put = target.s3.put_object().bucket(&target.bucket).key("lock").if_none_match("*");
        let put = put.body(writer.to_string().into_bytes().into());
        puts.spawn(async move { put.send().await.ok().map(|_| writer) });
    }
    let won: Vec<i32> = puts.join_all().await.into_iter().flatten().collect();
    assert_eq!(won.len(), 1, "{won:?}");
    assert_eq!(target.content("lock").await, won[0].to_string().into_bytes());
}

pub(crate) async fn reads_can_be_conditional(target: &Target) {
    let get = || target.s3.get_object().bucket(&target.bucket).key("k");
    target.put("k", "1").await;
    let etag = get().send().await.unwrap().e_tag.unwrap();
    let error = get().if_none_match(&etag).send().await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 304);
    get().if_none_match("\"other\"").send().await.unwrap();
    get().if_match(&etag).send().await.unwrap();
    assert_eq!(code!(get().if_match("\"other\"").send().await), "PreconditionFailed");
}

pub(crate) async fn digests_are_checked(target: &Target) {
    let (s3, bucket) = (&target.s3, &target.bucket);
    let put = |key: &str| s3.put_object().bucket(bucket).key(key).body(ByteStream::from_static(b"hello"));
    let head = |key: &str| s3.head_object().bucket(bucket).key(key).checksum_mode(ChecksumMode::Enabled);

    let base64 = base64::engine::general_purpose::STANDARD;
    let (right, wrong) = (md5(b"hello"), md5(b"other"));
    let encoded = |hex: &str| base64.encode(hex::decode(hex).unwrap());
    put("md5").content_md5(encoded(&right)).send().await.unwrap();
    assert_eq!(code!(put("bad").content_md5(encoded(&wrong)).send().await), "BadDigest");
    assert_eq!(code!(put("bad").content_md5("no digest").send().await), "InvalidDigest");

    put("sha").checksum_sha256(sha256(b"hello")).send().await.unwrap();
    let known = head("sha").send().await.unwrap();
    assert_eq!(known.checksum_sha256(), Some(sha256(b"hello").as_str()));
    assert_eq!(known.checksum_type(), Some(&ChecksumType::FullObject));
    assert_eq!(code!(put("bad").checksum_sha256(sha256(b"other")).send().await), "BadDigest");
    assert_eq!(code!(head("bad").send().await), "NotFound", "nothing of it is left");

    let crc = put("crc").checksum_algorithm(ChecksumAlgorithm::Crc32).send().await.unwrap();
    assert_eq!(crc.checksum_crc32(), Some("NhCmhg=="));
    let got = s3.get_object().bucket(bucket).key("crc").checksum_mode(ChecksumMode::Enabled);
    let got = got.send().await.unwrap();
    assert_eq!(got.checksum_crc32(), Some("NhCmhg=="));
}

pub(crate) async fn a_streamed_body_is_summed_in_a_trailer(target: &Target) {
    let (s3, bucket) = (&target.s3, &target.bucket);
    let content = bytes(3_000_001);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &content).unwrap();
    let algorithms = [ChecksumAlgorithm::Crc32, ChecksumAlgorithm::Sha256, ChecksumAlgorithm::Crc64Nvme];
    for algorithm in algorithms {
        // From a file it goes in chunks, with the sum behind it.
        let body = ByteStream::from_path(file.path()).await.unwrap();
        let put = s3.put_object().bucket(bucket).key("k").body(body).checksum_algorithm(algorithm.clone());
        let put = put.send().await.unwrap();
        let got = s3.get_object().bucket(bucket).key("k").checksum_mode(ChecksumMode::Enabled);
        let got = got.send().await.unwrap();
        let all = |sums: [Option<&str>; 3]| sums.map(|sum| sum.map(str::to_owned));
        let said = all([put.checksum_crc32(), put.checksum_sha256(), put.checksum_crc64_nvme()]);
        let stored = all([got.checksum_crc32(), got.checksum_sha256(), got.checksum_crc64_nvme()]);
        assert!(said == stored && said.iter().flatten().count() == 1, "{algorithm}: {said:?} {stored:?}");
        assert_eq!(got.content_encoding(), None);
        // The client compares the sum with what it reads.
        assert_eq!(got.body.collect().await.unwrap().to_vec(), content);
    }
}

pub(crate) async fn ranges_are_served(target: &Target) {
    let content = bytes(1_000_000);
    target.put("k", content.clone()).await;
    let get = |range: &str| target.s3.get_object().bucket(&target.bucket).key("k").range(range);
    for (range, from, to) in [
        ("bytes=0-0", 0, 1),
        ("bytes=5-700000", 5, 700_001),
        ("bytes=999990-", 999_990, 1_000_000),
        ("bytes=-7", 999_993, 1_000_000),
        ("bytes=999999-2000000", 999_999, 1_000_000),
        ("bytes=-2000000", 0, 1_000_000),
    ] {
        let got = get(range).send().await.unwrap();
        let expected = format!("bytes {from}-{}/1000000", to - 1);
        assert_eq!(got.content_range(), Some(expected.as_str()), "{range}");
        assert_eq!(got.content_length(), Some((to - from) as i64), "{range}");
        assert_eq!(got.body.collect().await.unwrap().to_vec(), content[from..to], "{range}");
    }
    assert_eq!(code!(get("bytes=1000000-").send().await), "InvalidRange");
    let head = target.s3.head_object().bucket(&target.bucket).key("k").range("bytes=1-2");
    assert_eq!(head.send().await.unwrap().content_length(), Some(2));
}

pub(crate) async fn keys_may_be_anything(target: &Target) {
    let long = format!("{}/{}", "long-name".repeat(30), "ü".repeat(365));
    assert_eq!(long.len(), 1001);
    let keys = [
        "packages/gcc-c++/13.2/1.fc40~rc1^git/x86_64/libstdc++-13.2-1.rpm",
        "100%/a%2Bb%20c",
        "a b&c=d?e#f;g:h@i",
        "parent/../sibling",
        "./here",
        "folder/",
        "double//slash",
        "ünïcödé/麹",
        "quote\"<>'",
        long.as_str(),
    ];
    for key in keys {
        target.put(key, key).await;
    }
    for key in keys {
        assert_eq!(target.content(key).await, key.as_bytes(), "{key}");
    }
    let listed = target.s3.list_objects_v2().bucket(&target.bucket).send().await.unwrap();
    let mut expected = keys.to_vec();
    expected.sort_unstable();
    let listed: Vec<&str> = listed.contents().iter().filter_map(|object| object.key()).collect();
    assert_eq!(listed, expected);
    for key in keys {
        target.s3.delete_object().bucket(&target.bucket).key(key).send().await.unwrap();
    }
    let listed = target.s3.list_objects_v2().bucket(&target.bucket).send().await.unwrap();
    assert_eq!(listed.key_count(), Some(0));
}

pub(crate) async fn a_reader_sees_one_object_whole(target: &Target) {
    let (old, new) = (vec![b'o'; 6_000_000], vec![b'n'; 5_000_000]);
    target.put("k", old.clone()).await;
    let mut got = target.s3.get_object().bucket(&target.bucket).key("k").send().await.unwrap();
    let mut seen = got.body.next().await.unwrap().unwrap().to_vec();
    target.put("k", new.clone()).await;
    while let Some(chunk) = got.body.next().await {
        seen.extend(chunk.unwrap());
    }
    assert!(seen == old);
    assert!(target.content("k").await == new);
}

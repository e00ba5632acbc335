//! Presigned URLs, used by who knows nothing of AWS.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType};
use reqwest::{Method, Response, StatusCode};

use crate::target::{KEY, Target, bytes, s3_client, sha256};

fn soon() -> PresigningConfig {
    PresigningConfig::expires_in(Duration::from_secs(60)).unwrap()
}

/// Sends what was signed, with `body`.
async fn send(target: &Target, signed: &PresignedRequest, body: Vec<u8>) -> Response {
    let method: Method = signed.method().parse().unwrap();
    let mut request = target.http.request(method, signed.uri()).body(body);
    for (name, value) in signed.headers() {
        request = request.header(name, value);
    }
    request.send().await.unwrap()
}

pub(crate) async fn urls_give_and_take(target: &Target) {
    let (s3, bucket) = (&target.s3, &target.bucket);
    for key in ["work/gcc-c++ 1~rc^2.log", "ünï/100%", "a%2Bb"] {
        let content = bytes(300_000);
        let put = s3.put_object().bucket(bucket).key(key).presigned(soon()).await.unwrap();
        let answer = send(target, &put, content.clone()).await;
        assert_eq!(answer.status(), StatusCode::OK, "{key}: {}", answer.text().await.unwrap());
        assert!(target.content(key).await == content);

        let get = s3.get_object().bucket(bucket).key(key).presigned(soon()).await.unwrap();
        let answer = send(target, &get, vec![]).await;
        assert_eq!(answer.headers()["content-length"], "300000");
        assert!(answer.bytes().await.unwrap() == content);
        let part = target.http.get(get.uri()).header("range", "bytes=2-4").send().await.unwrap();
        assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
        assert!(part.bytes().await.unwrap() == content[2..5]);
    }
}

pub(crate) async fn part_urls_check_the_digest(target: &Target) {
    let (s3, bucket) = (&target.s3, &target.bucket);
    let create = s3.create_multipart_upload().bucket(bucket).key("k");
    let create = create.checksum_algorithm(ChecksumAlgorithm::Sha256).checksum_type(ChecksumType::Composite);
    let id = create.send().await.unwrap().upload_id.unwrap();
    let part = s3.upload_part().bucket(bucket).key("k").upload_id(&id).part_number(1);
    let signed = part.checksum_sha256(sha256(b"hello")).presigned(soon()).await.unwrap();

    let answer = send(target, &signed, b"other".to_vec()).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert!(answer.text().await.unwrap().contains("BadDigest"));
    let listed = s3.list_parts().bucket(bucket).key("k").upload_id(&id).send().await.unwrap();
    assert!(listed.parts().is_empty());

    let answer = send(target, &signed, b"hello".to_vec()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.headers().contains_key("etag"));
    let listed = s3.list_parts().bucket(bucket).key("k").upload_id(&id).send().await.unwrap();
    assert_eq!(listed.parts()[0].checksum_sha256(), Some(sha256(b"hello").as_str()));
}

pub(crate) async fn answers_can_be_dressed(target: &Target) {
    target.put("k", "hello").await;
    let get = target.s3.get_object().bucket(&target.bucket).key("k");
    let get = get.response_content_type("text/plain").response_content_disposition("attachment; filename=\"a b.log\"");
    let answer = send(target, &get.presigned(soon()).await.unwrap(), vec![]).await;
    assert_eq!(answer.headers()["content-type"], "text/plain");
    assert_eq!(answer.headers()["content-disposition"], "attachment; filename=\"a b.log\"");
}

pub(crate) async fn strangers_are_refused(target: &Target) {
    target.put("k", "hello").await;
    let get = target.s3.get_object().bucket(&target.bucket).key("k");
    let signed = get.presigned(soon()).await.unwrap();
    let tampered = signed.uri().replace("/k?", "/l?");
    assert_ne!(tampered, signed.uri());
    let answer = target.http.get(tampered).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let other_method = target.http.put(signed.uri()).body("x").send().await.unwrap();
    assert_eq!(other_method.status(), StatusCode::FORBIDDEN);
    if !target.is_ours() {
        // LocalStack takes any key, and none.
        return;
    }
    let plain = format!("{}/{}/k", target.s3_url, target.bucket);
    for request in [target.http.get(&plain), target.http.put(&plain).body("x"), target.http.delete(&plain)] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        assert!(answer.text().await.unwrap().contains("AccessDenied"));
    }
    for (key, secret, code) in [(KEY, "wrong", "SignatureDoesNotMatch"), ("nobody", "x", "InvalidAccessKeyId")] {
        let stranger = s3_client(&target.s3_url, Credentials::from_keys(key, secret, None));
        let answer = stranger.get_object().bucket(&target.bucket).key("k").send().await;
        assert_eq!(crate::target::code!(answer), code);
    }
    assert_eq!(target.content("k").await, b"hello");
}

pub(crate) async fn urls_expire(target: &Target) {
    target.put("k", "hello").await;
    let then = SystemTime::now() - Duration::from_secs(120);
    let past = |seconds| {
        let config = PresigningConfig::builder().start_time(then);
        config.expires_in(Duration::from_secs(seconds)).build().unwrap()
    };
    let get = || target.s3.get_object().bucket(&target.bucket).key("k");
    let answer = send(target, &get().presigned(past(60)).await.unwrap(), vec![]).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(answer.text().await.unwrap().contains("expired"));
    let answer = send(target, &get().presigned(past(600)).await.unwrap(), vec![]).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let put = target.s3.put_object().bucket(&target.bucket).key("k");
    let answer = send(target, &put.presigned(past(60)).await.unwrap(), b"late".to_vec()).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert_eq!(target.content("k").await, b"hello");
}

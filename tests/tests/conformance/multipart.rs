//! Multipart uploads.

use aws_sdk_s3::operation::complete_multipart_upload::builders::CompleteMultipartUploadFluentBuilder;
use aws_sdk_s3::operation::upload_part::builders::UploadPartFluentBuilder;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart};
use base64::Engine as _;

use crate::copies::encoded;
use crate::target::{Target, bytes, code, md5, sha256};

/// The least size of a part that is not the last.
const SMALLEST: usize = 5 << 20;

/// An upload under way, of parts that are summed with SHA-256.
struct Upload<'a> {
    target: &'a Target,
    key: &'a str,
    id: String,
}

impl<'a> Upload<'a> {
    async fn begin(target: &'a Target, key: &'a str) -> Self {
        let create = target.s3.create_multipart_upload().bucket(&target.bucket).key(key);
        let create = create.checksum_algorithm(ChecksumAlgorithm::Sha256);
        let create = create.checksum_type(ChecksumType::Composite).content_type("text/z");
        let id = create.send().await.unwrap().upload_id.unwrap();
        Self { target, key, id }
    }

    fn part(&self, number: i32, body: &[u8]) -> UploadPartFluentBuilder {
        let part = self.target.s3.upload_part().bucket(&self.target.bucket).key(self.key);
        part.upload_id(&self.id).part_number(number).body(body.to_vec().into())
    }

    /// Uploads a part, and gives back how it is named in the end.
    async fn upload(&self, number: i32, body: &[u8]) -> CompletedPart {
        let sum = sha256(body);
        let part = self.part(number, body).checksum_sha256(&sum).send().await.unwrap();
        assert_eq!(part.checksum_sha256(), Some(sum.as_str()));
        named(number, part.e_tag().unwrap(), &sum)
    }

    fn complete(&self, parts: &[CompletedPart]) -> CompleteMultipartUploadFluentBuilder {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.to_vec())).build();
        let complete = self.target.s3.complete_multipart_upload().bucket(&self.target.bucket);
        complete.key(self.key).upload_id(&self.id).multipart_upload(parts)
    }

    async fn numbers(&self) -> Vec<i32> {
        let list = self.target.s3.list_parts().bucket(&self.target.bucket).key(self.key);
        let listed = list.upload_id(&self.id).send().await.unwrap();
        listed.parts().iter().filter_map(|part| part.part_number()).collect()
    }
}

fn named(number: i32, etag: &str, sum: &str) -> CompletedPart {
    let part = CompletedPart::builder().part_number(number).e_tag(etag);
    part.checksum_sha256(sum).build()
}

/// The composite checksum of parts.
fn composite(parts: &[&[u8]]) -> String {
    let base64 = base64::engine::general_purpose::STANDARD;
    let sums: Vec<u8> = parts.iter().flat_map(|part| base64.decode(sha256(part)).unwrap()).collect();
    format!("{}-{}", sha256(&sums), parts.len())
}

/// Makes an object of parts.
pub(crate) async fn upload_of(target: &Target, key: &str, parts: &[&[u8]]) {
    let upload = Upload::begin(target, key).await;
    let mut named = Vec::new();
    for (number, part) in (1..).zip(parts) {
        named.push(upload.upload(number, part).await);
    }
    upload.complete(&named).send().await.unwrap();
}

pub(crate) async fn parts_are_summed(target: &Target) {
    let content = bytes(2 * SMALLEST + 17);
    let (first, rest) = content.split_at(SMALLEST);
    let (second, third) = rest.split_at(SMALLEST);
    let upload = Upload::begin(target, "k").await;
    // In no order, and with gaps in the numbers.
    let third_name = upload.upload(70, third).await;
    let first_name = upload.upload(3, first).await;
    let second_name = upload.upload(10, second).await;
    let done = upload.complete(&[first_name, second_name, third_name]).send().await.unwrap();

    let sum = composite(&[first, second, third]);
    assert_eq!(done.checksum_sha256(), Some(sum.as_str()));
    let md5s: Vec<u8> = [first, second, third].iter().flat_map(|part| hex::decode(md5(part)).unwrap()).collect();
    let etag = format!("\"{}-3\"", md5(&md5s));
    assert_eq!(done.e_tag(), Some(etag.as_str()));

    let head = target.s3.head_object().bucket(&target.bucket).key("k");
    let head = head.checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!(head.checksum_sha256(), Some(sum.as_str()));
    assert_eq!(head.checksum_type(), Some(&ChecksumType::Composite));
    assert_eq!((head.e_tag(), head.content_type()), (Some(etag.as_str()), Some("text/z")));
    assert!(target.content("k").await == content);
    let range = format!("bytes={}-{}", SMALLEST - 2, 2 * SMALLEST + 1);
    let across = target.s3.get_object().bucket(&target.bucket).key("k").range(range).send().await.unwrap();
    assert!(across.body.collect().await.unwrap().to_vec() == content[SMALLEST - 2..2 * SMALLEST + 2]);
    let part = target.s3.head_object().bucket(&target.bucket).key("k").part_number(10).send().await.unwrap();
    assert_eq!((part.content_length(), part.parts_count()), (Some(SMALLEST as i64), Some(3)));
}

pub(crate) async fn a_wrong_part_is_refused(target: &Target) {
    let upload = Upload::begin(target, "k").await;
    let wrong = upload.part(1, b"hello").checksum_sha256(sha256(b"other"));
    assert_eq!(code!(wrong.send().await), "BadDigest");
    let other = upload.part(1, b"hello").checksum_algorithm(ChecksumAlgorithm::Crc32);
    assert_eq!(code!(other.send().await), "InvalidRequest", "the upload is summed otherwise");
    assert_eq!(code!(upload.part(0, b"hello").checksum_sha256(sha256(b"hello")).send().await), "InvalidArgument");
    assert!(upload.numbers().await.is_empty());
    let stray = Upload { id: "stray".into(), ..upload };
    assert_eq!(code!(stray.part(1, b"hello").checksum_sha256(sha256(b"hello")).send().await), "NoSuchUpload");
}

pub(crate) async fn completing_checks_the_list(target: &Target) {
    let upload = Upload::begin(target, "k").await;
    let small = upload.upload(1, b"small").await;
    let last = upload.upload(2, b"last").await;
    let (first_sum, etag) = (sha256(b"small"), small.e_tag().unwrap().to_owned());
    let complete = async |parts: &[CompletedPart]| code!(upload.complete(parts).send().await);
    assert_eq!(complete(&[small.clone(), last.clone()]).await, "EntityTooSmall");
    assert_eq!(complete(&[last.clone(), small.clone()]).await, "InvalidPartOrder");
    assert_eq!(complete(&[named(3, &etag, &first_sum)]).await, "InvalidPart");
    assert_eq!(complete(&[named(1, last.e_tag().unwrap(), &first_sum)]).await, "InvalidPart");
    assert_eq!(complete(&[named(1, &etag, &sha256(b"last"))]).await, "InvalidPart");
    let unsummed = CompletedPart::builder().part_number(1).e_tag(&etag).build();
    assert_eq!(complete(&[unsummed]).await, "InvalidRequest");
    assert_eq!(complete(&[]).await, "InvalidRequest");
    // None of it ended the upload; parts that are not named are left out.
    upload.complete(&[last]).send().await.unwrap();
    assert_eq!(target.content("k").await, b"last");
    assert_eq!(complete(&[small]).await, "NoSuchUpload");
}

pub(crate) async fn completing_can_be_conditional(target: &Target) {
    let upload = Upload::begin(target, "k").await;
    let part = upload.upload(1, b"new").await;
    target.put("k", "old").await;
    let complete = upload.complete(std::slice::from_ref(&part)).if_none_match("*");
    assert_eq!(code!(complete.send().await), "PreconditionFailed");
    assert_eq!(target.content("k").await, b"old");
    target.s3.delete_object().bucket(&target.bucket).key("k").send().await.unwrap();
    upload.complete(&[part]).if_none_match("*").send().await.unwrap();
    assert_eq!(target.content("k").await, b"new");
}

pub(crate) async fn a_part_can_be_replaced(target: &Target) {
    let upload = Upload::begin(target, "k").await;
    let old = upload.upload(1, b"old").await;
    let new = upload.upload(1, b"new").await;
    assert_eq!(upload.numbers().await, [1]);
    assert_eq!(code!(upload.complete(&[old]).send().await), "InvalidPart");
    upload.complete(&[new]).send().await.unwrap();
    assert_eq!(target.content("k").await, b"new");
}

pub(crate) async fn an_aborted_upload_is_gone(target: &Target) {
    let upload = Upload::begin(target, "k").await;
    let part = upload.upload(1, b"hello").await;
    let abort = target.s3.abort_multipart_upload().bucket(&target.bucket).key("k").upload_id(&upload.id);
    abort.clone().send().await.unwrap();
    assert_eq!(code!(upload.complete(&[part]).send().await), "NoSuchUpload");
    assert_eq!(code!(abort.send().await), "NoSuchUpload");
    assert_eq!(code!(target.s3.head_object().bucket(&target.bucket).key("k").send().await), "NotFound");
}

pub(crate) async fn parts_and_uploads_are_listed(target: &Target) {
    let first = Upload::begin(target, "a/1").await;
    let second = Upload::begin(target, "a/2").await;
    let _other = Upload::begin(target, "b").await;
    for number in [1, 2, 3] {
        first.upload(number, b"x").await;
    }
    let list = target.s3.list_parts().bucket(&target.bucket).key("a/1").upload_id(&first.id);
    let page = list.clone().max_parts(2).send().await.unwrap();
    assert_eq!((page.is_truncated(), page.next_part_number_marker()), (Some(true), Some("2")));
    assert_eq!(page.parts()[0].checksum_sha256(), Some(sha256(b"x").as_str()));
    let page = list.part_number_marker("2").send().await.unwrap();
    assert_eq!((page.is_truncated(), page.parts().len()), (Some(false), 1));

    let list = target.s3.list_multipart_uploads().bucket(&target.bucket).prefix("a/");
    let page = list.send().await.unwrap();
    let ids: Vec<_> = page.uploads().iter().filter_map(|upload| upload.upload_id()).collect();
    assert_eq!(ids, [first.id, second.id]);
    let list = target.s3.list_multipart_uploads().bucket(&target.bucket).max_uploads(1);
    let page = list.clone().send().await.unwrap();
    assert_eq!((page.is_truncated(), page.uploads().len()), (Some(true), 1));
    let list = list.key_marker(page.next_key_marker().unwrap());
    let page = list.upload_id_marker(page.next_upload_id_marker().unwrap()).send().await.unwrap();
    assert_eq!(page.uploads()[0].key(), Some("a/2"));
}

pub(crate) async fn parts_can_be_copied(target: &Target) {
    let content = bytes(SMALLEST + 100);
    let source = "gcc-c++ 1.rpm";
    target.put(source, content.clone()).await;
    let upload = Upload::begin(target, "k").await;
    let copy = |number: i32, range: String| {
        let copy = target.s3.upload_part_copy().bucket(&target.bucket).key("k").upload_id(&upload.id);
        let copy = copy.copy_source(format!("{}/{}", target.bucket, encoded(source)));
        copy.part_number(number).copy_source_range(range)
    };
    let mut parts = Vec::new();
    for (number, from, to) in [(1, 50, SMALLEST + 50), (2, 0, 7)] {
        let copied = copy(number, format!("bytes={from}-{}", to - 1)).send().await.unwrap();
        let result = copied.copy_part_result().unwrap();
        let sum = sha256(&content[from..to]);
        assert_eq!(result.checksum_sha256(), Some(sum.as_str()));
        parts.push(named(number, result.e_tag().unwrap(), &sum));
    }
    let beyond = copy(3, format!("bytes=0-{}", content.len()));
    assert_eq!(code!(beyond.send().await), "InvalidArgument");
    upload.complete(&parts).send().await.unwrap();
    assert!(target.content("k").await == [&content[50..SMALLEST + 50], &content[..7]].concat());
}

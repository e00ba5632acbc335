//! What toji needs of S3 and SQS, said once and asked of two: toji-local's own servers, started for each case in a
//! temporary directory, and LocalStack, at the URL in `TOJI_TEST_LOCALSTACK` (without it, those cases say so and pass).
//!
//! The real AWS clients do the asking, and a plain HTTP client where presigned URLs are handed out. A case that LocalStack
//! is known to answer otherwise than AWS does is marked with the reason.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod copies;
mod listing;
mod multipart;
mod objects;
mod presigned;
mod queues;
mod restart;
mod restricted;
mod target;

use target::Target;

/// No case takes longer, unless something hangs.
async fn in_time(case: impl Future<Output = ()>) {
    let limit = std::time::Duration::from_secs(60);
    tokio::time::timeout(limit, case).await.expect("the case ends in time");
}

/// Makes two tests of each case, `ours::…` and `localstack::…`.
macro_rules! cases {
    ($($module:ident { $($case:ident $(: not on localstack because $why:literal)?,)* })*) => {
        mod ours {
            $(mod $module {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    crate::in_time(crate::$module::$case(&crate::Target::ours().await)).await;
                })*
            })*
        }
        mod localstack {
            $(mod $module {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let reasons: &[&str] = &[$($why)?];
                    if let Some(why) = reasons.first() {
                        eprintln!("skipped: {why}");
                        return;
                    }
                    match crate::Target::localstack().await {
                        Some(target) => crate::in_time(crate::$module::$case(&target)).await,
                        None => eprintln!("skipped: TOJI_TEST_LOCALSTACK holds no URL of a LocalStack"),
                    }
                })*
            })*
        }
    };
}

cases! {
    objects {
        an_object_keeps_what_it_is_given,
        missing_things_are_told_apart,
        writes_can_be_conditional,
        one_of_many_conditional_writes_wins,
        reads_can_be_conditional,
        digests_are_checked,
        a_streamed_body_is_summed_in_a_trailer,
        ranges_are_served,
        keys_may_be_anything,
        a_reader_sees_one_object_whole: not on localstack because "a write waits there for readers",
    }
    copies {
        a_copy_has_the_content_and_the_headers,
        a_copy_can_have_new_headers,
        sources_are_decoded_once,
        copies_can_be_refused,
        a_copied_multipart_object_is_an_ordinary_one,
    }
    listing {
        a_delimiter_rolls_up,
        pages_follow_each_other,
        a_wrong_token_is_refused: not on localstack because "it fails with an internal error",
        names_can_be_encoded,
        many_are_deleted_at_once,
    }
    multipart {
        parts_are_summed,
        a_wrong_part_is_refused,
        completing_checks_the_list,
        completing_can_be_conditional,
        a_part_can_be_replaced,
        an_aborted_upload_is_gone,
        parts_and_uploads_are_listed,
        parts_can_be_copied,
    }
    presigned {
        urls_give_and_take,
        part_urls_check_the_digest,
        answers_can_be_dressed,
        strangers_are_refused,
        urls_expire,
    }
    queues {
        a_queue_is_made_once,
        a_missing_queue_is_told,
        a_message_keeps_what_it_is_given,
        a_waiting_receiver_is_woken,
        waiting_for_nothing_ends,
        a_received_message_is_hidden,
        a_message_can_be_put_back,
        a_delayed_message_comes_later,
        batches_have_limits,
        batches_work,
        attributes_tell,
        dead_letters_are_moved,
        bad_requests_are_refused,
        limits_are_kept: not on localstack because "it checks few of them",
        a_queue_can_be_purged,
        each_message_goes_to_one_receiver,
    }
    restricted {
        a_builder_sees_its_own_queues_only: not on localstack because "it checks no access keys",
        keys_end: not on localstack because "it checks no access keys",
        an_old_receipt_deletes_nothing: not on localstack because "it deletes by any receipt",
    }
}

DROP INDEX repo_queue_task;
DROP INDEX repo_queue_tag;
DROP INDEX repo_over;
DROP INDEX repo_current;
DROP INDEX repo_making;
DROP INDEX tag_extra_repo;

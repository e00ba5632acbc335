-- What the passes over repos look for, where there are thousands of tags and repos.

-- the settings of tags that want repos by themselves: looked at with each change of a tag
CREATE INDEX tag_extra_repo ON tag_extra (tag_id) WHERE active AND key IN ('repo.auto', 'repo.lag');
CREATE INDEX repo_making ON repo (id) WHERE state = 0;
CREATE INDEX repo_current ON repo (id) WHERE state = 1 AND end_event IS NULL;
CREATE INDEX repo_over ON repo (state_time, id) WHERE state IN (2, 4);
CREATE INDEX repo_queue_tag ON repo_queue (tag_id) WHERE active;
CREATE INDEX repo_queue_task ON repo_queue (task_id);

-- What was decided about tasks and hosts; kept for a week.
CREATE TABLE scheduler_log_messages (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task_id bigint REFERENCES task (id) ON DELETE CASCADE,
    host_id bigint REFERENCES host (id),
    msg_time timestamptz NOT NULL,
    msg text NOT NULL
);
CREATE INDEX scheduler_log_messages_time ON scheduler_log_messages (msg_time);
CREATE INDEX scheduler_log_messages_task ON scheduler_log_messages (task_id);

-- runs and refusals are asked for in the order in which they were
ALTER TABLE task_run ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY UNIQUE;
ALTER TABLE task_refusal ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY UNIQUE;

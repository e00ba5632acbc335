ALTER TABLE task_refusal DROP COLUMN id;
ALTER TABLE task_run DROP COLUMN id;
DROP TABLE scheduler_log_messages;

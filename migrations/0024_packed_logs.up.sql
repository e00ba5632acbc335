-- Bytes of a log's text, when its object is packed (gzip with an index); null = the file is kept as it is.
ALTER TABLE task_file ADD COLUMN unpacked bigint;

-- Whether the sweep has looked at the numbered parts of an attempt's live logs.
ALTER TABLE task_run ADD COLUMN log_parts_swept boolean NOT NULL DEFAULT false;
CREATE INDEX task_run_log_parts ON task_run (end_time) WHERE NOT log_parts_swept;

DROP INDEX task_run_log_parts;
ALTER TABLE task_run DROP COLUMN log_parts_swept;
ALTER TABLE task_file DROP COLUMN unpacked;

DROP INDEX task_scratch;

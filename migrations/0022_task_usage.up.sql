-- What an attempt took: seconds of processors, bytes of memory, disk and uploads; null = its builder did not tell.
ALTER TABLE task_run ADD COLUMN usage jsonb;

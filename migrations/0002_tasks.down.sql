DROP TABLE upload_piece, upload, outbox, task_file, task_refusal, task_run, task, host_channels, host_config, host, channels;

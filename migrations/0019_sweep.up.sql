-- What the sweep looks through for scratch builds of years ago.
CREATE INDEX task_scratch ON task (completion_time)
    WHERE method = 'build' AND parent IS NULL AND request LIKE '%<name>scratch</name>%';

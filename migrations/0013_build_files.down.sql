ALTER TABLE volume DROP COLUMN storage_class;
DELETE FROM pending_import WHERE task_id IS NULL;
ALTER TABLE pending_import DROP COLUMN claims;
ALTER TABLE pending_import ALTER COLUMN task_id SET NOT NULL;

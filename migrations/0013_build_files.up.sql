-- Whoever works on a build's files has a row here: an import by its task, or a call that adds, moves or deletes files.
ALTER TABLE pending_import ALTER COLUMN task_id DROP NOT NULL;
-- The release that a draft is being given: nobody begins a build of that name while its files are being copied there.
ALTER TABLE pending_import ADD COLUMN claims text;

-- A volume is a storage class of S3. Keys are the same on every volume.
ALTER TABLE volume ADD COLUMN storage_class text NOT NULL DEFAULT 'STANDARD' CHECK (storage_class IN
    ('STANDARD', 'STANDARD_IA', 'ONEZONE_IA', 'INTELLIGENT_TIERING', 'GLACIER_IR'));

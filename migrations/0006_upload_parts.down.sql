DROP TABLE upload_part;
ALTER TABLE upload DROP COLUMN adler32;

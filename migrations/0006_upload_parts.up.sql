-- Koji's pieces are too small to be parts in S3 and are folded as they come; the pieces stay until the object is whole, so that
-- a client may still go back and overwrite.
CREATE TABLE upload_part (
    path text NOT NULL REFERENCES upload (path) ON DELETE CASCADE,
    number integer NOT NULL CHECK (number > 0),
    start bigint NOT NULL,
    size bigint NOT NULL,
    etag text NOT NULL,
    -- lower-case hex
    sha256 text NOT NULL,
    PRIMARY KEY (path, number)
);

-- Of the whole object, where it was uploaded in pieces.
ALTER TABLE upload ADD COLUMN adler32 bigint;

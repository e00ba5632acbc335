-- Digests of whole RPM files, as they are with one signature: read once, then kept. They go with their signature.
CREATE TABLE rpm_checksum (
    rpm_id bigint NOT NULL,
    sigkey text NOT NULL,
    -- md5 0, sha1 1, sha256 2
    checksum_type smallint NOT NULL CHECK (checksum_type BETWEEN 0 AND 2),
    -- lower-case hex
    checksum text NOT NULL,
    PRIMARY KEY (rpm_id, sigkey, checksum_type),
    FOREIGN KEY (rpm_id, sigkey) REFERENCES rpmsigs (rpm_id, sigkey) ON DELETE CASCADE
);

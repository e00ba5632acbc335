-- The RPM's share of repository metadata as it is with a signature: another file, with another size and checksum. Made when a dist repo
-- first shows it; it goes with the signature.
CREATE TABLE rpm_signed_fragment (
    rpm_id bigint NOT NULL,
    sigkey text NOT NULL,
    -- of the signed copy, hex
    pkgid text NOT NULL,
    mtime bigint NOT NULL,
    -- as in rpm_fragment
    fragment bytea NOT NULL,
    PRIMARY KEY (rpm_id, sigkey),
    FOREIGN KEY (rpm_id, sigkey) REFERENCES rpmsigs (rpm_id, sigkey) ON DELETE CASCADE
);

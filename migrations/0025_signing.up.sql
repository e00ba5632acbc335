-- Keys that have signed: their public halves as OpenPGP has them. What a key is named by keeps its public half for ever.
CREATE TABLE signing_key (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- as a tag names it (sign.key)
    reference text NOT NULL UNIQUE,
    -- the last 8 hex digits of the fingerprint, in lower case: as rpmsigs has it
    sigkey text NOT NULL,
    fingerprint text NOT NULL,
    -- in armor
    public_key text NOT NULL,
    create_time timestamptz NOT NULL
);

-- Builds that are to be signed because they were tagged, or somebody has asked; until it is done.
CREATE TABLE sign_request (
    tag_id bigint NOT NULL REFERENCES tag (id),
    build_id bigint NOT NULL REFERENCES build (id),
    -- who tagged it, or asked
    user_id bigint NOT NULL REFERENCES users (id),
    create_time timestamptz NOT NULL,
    -- how often it was asked for: who ends it must have seen the last time
    asked integer NOT NULL DEFAULT 1,
    attempts integer NOT NULL DEFAULT 0,
    -- when it is tried (again)
    due_time timestamptz NOT NULL,
    -- why the last attempt failed
    problem text,
    PRIMARY KEY (tag_id, build_id)
);
CREATE INDEX sign_request_due ON sign_request (due_time);

-- Every signature that was made. It outlives what was signed.
CREATE TABLE signature_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key_id bigint NOT NULL REFERENCES signing_key (id),
    -- who tagged the build, or asked for the repo; null = the hub itself
    user_id bigint REFERENCES users (id),
    tag_id bigint NOT NULL REFERENCES tag (id),
    rpm_id bigint,
    repo_id bigint,
    -- an RPM's file name, or the repomd.xml's path in its repo
    name text NOT NULL,
    -- SHA-256 of what was signed, in hex: an RPM's header, or a repomd.xml
    digest text NOT NULL,
    sign_time timestamptz NOT NULL,
    CHECK ((rpm_id IS NULL) <> (repo_id IS NULL))
);
CREATE INDEX signature_log_rpm ON signature_log (rpm_id) WHERE rpm_id IS NOT NULL;
CREATE INDEX signature_log_repo ON signature_log (repo_id) WHERE repo_id IS NOT NULL;

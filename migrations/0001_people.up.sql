-- Optional filters are written `$1 IS NULL OR …`. A plan for all values, which Postgres may turn to after a few runs, cannot leave the
-- absent ones out and may be a thousand times slower, so plans are made for the values at hand.
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET plan_cache_mode = force_custom_plan', current_database());
END $$;

-- Events order every change. Ids are handed out under one lock that is held to the commit, so that they
-- become visible in order: what a list shows at a past event never changes.
CREATE TABLE events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    time timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE FUNCTION new_event() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    event bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(7069);
    INSERT INTO events DEFAULT VALUES RETURNING id INTO event;
    RETURN event;
END
$$;

-- Whether a versioned row counts: now, or at a past event. A row made and revoked by one event never does.
CREATE FUNCTION is_live(active boolean, create_event bigint, revoke_event bigint, at bigint) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN at IS NULL THEN active IS TRUE
                ELSE create_event <= at AND (revoke_event IS NULL OR at < revoke_event) END
$$;

CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    status smallint NOT NULL DEFAULT 0 CHECK (status IN (0, 1)),
    usertype smallint NOT NULL DEFAULT 0 CHECK (usertype IN (0, 1, 2))
);

CREATE TABLE user_krb_principals (
    user_id bigint NOT NULL REFERENCES users (id),
    krb_principal text NOT NULL UNIQUE,
    PRIMARY KEY (user_id, krb_principal)
);

-- Only the SHA-256 of a token is kept.
CREATE TABLE api_token (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users (id),
    hash bytea NOT NULL UNIQUE CHECK (length(hash) = 32),
    description text,
    create_time timestamptz NOT NULL,
    expire_time timestamptz,
    revoke_time timestamptz
);
CREATE INDEX api_token_user ON api_token (user_id);

CREATE TABLE permissions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    description text
);

CREATE TABLE user_perms (
    user_id bigint NOT NULL REFERENCES users (id),
    perm_id bigint NOT NULL REFERENCES permissions (id),
    create_event bigint NOT NULL REFERENCES events (id),
    creator_id bigint NOT NULL REFERENCES users (id),
    revoke_event bigint REFERENCES events (id),
    revoker_id bigint REFERENCES users (id),
    active boolean DEFAULT true CHECK (active),
    CHECK ((active IS NULL) = (revoke_event IS NOT NULL)),
    UNIQUE (user_id, perm_id, active),
    PRIMARY KEY (create_event, user_id, perm_id)
);

-- A group is a user of type 2; its members inherit its permissions.
CREATE TABLE user_groups (
    user_id bigint NOT NULL REFERENCES users (id),
    group_id bigint NOT NULL REFERENCES users (id),
    create_event bigint NOT NULL REFERENCES events (id),
    creator_id bigint NOT NULL REFERENCES users (id),
    revoke_event bigint REFERENCES events (id),
    revoker_id bigint REFERENCES users (id),
    active boolean DEFAULT true CHECK (active),
    CHECK ((active IS NULL) = (revoke_event IS NOT NULL)),
    UNIQUE (user_id, group_id, active),
    PRIMARY KEY (create_event, user_id, group_id)
);

CREATE TABLE sessions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users (id),
    key_hash bytea NOT NULL CHECK (length(key_hash) = 32),
    authtype smallint NOT NULL,
    callnum bigint,
    master bigint REFERENCES sessions (id),
    -- true or null, so that the constraint below allows one exclusive session a user
    exclusive boolean CHECK (exclusive),
    expired boolean NOT NULL DEFAULT false,
    closed boolean NOT NULL DEFAULT false,
    start_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    renew_time timestamptz,
    UNIQUE (user_id, exclusive),
    CHECK (NOT (closed AND coalesce(exclusive, false)))
);
CREATE INDEX sessions_master ON sessions (master) WHERE NOT closed;

INSERT INTO permissions (name, description) VALUES
    ('admin', 'Everything'),
    ('appliance', 'Appliance builds'),
    ('dist-repo', 'Make dist repos'),
    ('host', 'Add and edit hosts and channels'),
    ('image', 'Image builds'),
    ('image-import', 'Import images'),
    ('livecd', 'Live CD builds'),
    ('maven-import', 'Import Maven archives'),
    ('repo', 'Manage repos'),
    ('sign', 'Import signatures and write signed copies'),
    ('tag', 'Edit tags'),
    ('target', 'Edit build targets'),
    ('win-admin', 'Manage Windows builds'),
    ('win-import', 'Import Windows archives'),
    ('draft-promoter', 'Promote draft builds');

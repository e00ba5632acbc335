CREATE TABLE channels (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    description text,
    enabled boolean NOT NULL DEFAULT true,
    comment text
);
INSERT INTO channels (name, description) VALUES
    ('default', 'Ordinary builds'),
    ('createrepo', 'Repo generation'),
    ('maven', NULL), ('livecd', NULL), ('appliance', NULL), ('vm', NULL), ('image', NULL), ('livemedia', NULL);

CREATE TABLE host (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL UNIQUE REFERENCES users (id),
    name text NOT NULL UNIQUE,
    update_time timestamptz,
    task_load double precision NOT NULL DEFAULT 0,
    ready boolean NOT NULL DEFAULT false,
    -- task methods that its builder handles; null = not told yet, so none
    methods text[],
    max_jobs integer NOT NULL DEFAULT 10,
    -- the builder is asked to finish what it runs and take nothing more
    draining boolean NOT NULL DEFAULT false
);

CREATE TABLE host_config (
    host_id bigint NOT NULL REFERENCES host (id),
    arches text NOT NULL DEFAULT '',
    capacity double precision NOT NULL DEFAULT 2.0 CHECK (capacity > 0),
    description text,
    comment text,
    enabled boolean NOT NULL DEFAULT true,
    create_event bigint NOT NULL REFERENCES events (id),
    creator_id bigint NOT NULL REFERENCES users (id),
    revoke_event bigint REFERENCES events (id),
    revoker_id bigint REFERENCES users (id),
    active boolean DEFAULT true CHECK (active),
    CHECK ((active IS NULL) = (revoke_event IS NOT NULL)),
    UNIQUE (host_id, active),
    PRIMARY KEY (create_event, host_id)
);

CREATE TABLE host_channels (
    host_id bigint NOT NULL REFERENCES host (id),
    channel_id bigint NOT NULL REFERENCES channels (id),
    create_event bigint NOT NULL REFERENCES events (id),
    creator_id bigint NOT NULL REFERENCES users (id),
    revoke_event bigint REFERENCES events (id),
    revoker_id bigint REFERENCES users (id),
    active boolean DEFAULT true CHECK (active),
    CHECK ((active IS NULL) = (revoke_event IS NOT NULL)),
    UNIQUE (host_id, channel_id, active),
    PRIMARY KEY (create_event, host_id, channel_id)
);
CREATE INDEX host_channels_channel ON host_channels (channel_id) WHERE active;

CREATE TABLE task (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- FREE 0, OPEN 1, CLOSED 2, CANCELED 3, ASSIGNED 4, FAILED 5
    state smallint NOT NULL DEFAULT 0 CHECK (state BETWEEN 0 AND 5),
    method text NOT NULL,
    -- run by the hub's own coordinator, not by a builder
    coordinated boolean NOT NULL,
    request text NOT NULL,
    result text,
    owner bigint NOT NULL REFERENCES users (id),
    channel_id bigint NOT NULL REFERENCES channels (id),
    arch text NOT NULL,
    priority integer NOT NULL,
    weight double precision NOT NULL,
    host_id bigint REFERENCES host (id),
    parent bigint REFERENCES task (id),
    label text,
    waiting boolean,
    awaited boolean,
    create_time timestamptz NOT NULL,
    start_time timestamptz,
    completion_time timestamptz,
    -- since when it may be claimed: its creation, or the last time it was freed
    free_since timestamptz NOT NULL,
    -- how often it was claimed; a write that names an older attempt changes nothing
    attempt integer NOT NULL DEFAULT 0,
    -- chosen by the builder, so that a claim sent twice is one claim
    claim_id text,
    lease_expires_at timestamptz,
    UNIQUE (parent, label),
    CHECK (label IS NULL OR parent IS NOT NULL),
    CHECK ((state IN (2, 3, 5)) = (completion_time IS NOT NULL)),
    CHECK (state <> 4 OR host_id IS NOT NULL),
    CHECK (coordinated OR state <> 1 OR (host_id IS NOT NULL AND lease_expires_at IS NOT NULL)),
    CHECK (state = 1 OR lease_expires_at IS NULL)
);
CREATE INDEX task_claim ON task (channel_id, arch, priority, free_since) WHERE state = 0 AND NOT coordinated;
CREATE INDEX task_assigned ON task (host_id) WHERE state IN (1, 4);
CREATE INDEX task_lease ON task (lease_expires_at) WHERE state = 1 AND NOT coordinated;
CREATE INDEX task_coordinated ON task (id) WHERE state IN (0, 1) AND coordinated;
CREATE INDEX task_parent ON task (parent);
CREATE INDEX task_live ON task (state, id) WHERE state IN (0, 1, 4);
CREATE INDEX task_owner ON task (owner, id);
CREATE INDEX task_method ON task (method, id);
CREATE INDEX task_channel ON task (channel_id, id);
CREATE INDEX task_host ON task (host_id, id);
CREATE INDEX task_completion ON task (completion_time);
CREATE INDEX task_create ON task (create_time);

-- A claim that found nothing answers the same to its second sending by the claim id on the task;
-- a finished attempt keeps its host and times here.
CREATE TABLE task_run (
    task_id bigint NOT NULL REFERENCES task (id),
    attempt integer NOT NULL,
    host_id bigint NOT NULL REFERENCES host (id),
    claim_id text NOT NULL UNIQUE,
    start_time timestamptz NOT NULL,
    end_time timestamptz,
    -- closed, failed, canceled, freed, lost
    outcome text,
    PRIMARY KEY (task_id, attempt)
);

CREATE TABLE task_refusal (
    task_id bigint NOT NULL REFERENCES task (id),
    host_id bigint NOT NULL REFERENCES host (id),
    soft boolean NOT NULL,
    msg text NOT NULL,
    time timestamptz NOT NULL,
    PRIMARY KEY (task_id, host_id)
);

-- Files that a task's attempt has uploaded whole, or is uploading.
CREATE TABLE task_file (
    task_id bigint NOT NULL REFERENCES task (id),
    attempt integer NOT NULL,
    name text NOT NULL,
    size bigint NOT NULL,
    -- lower-case hex; of the whole file, as its builder told
    sha256 text NOT NULL,
    upload_id text NOT NULL,
    create_time timestamptz NOT NULL,
    -- null while parts are missing
    done_time timestamptz,
    -- where an import has put it; null = still under the attempt's own prefix
    moved_to text,
    PRIMARY KEY (task_id, attempt, name)
);

-- Messages to be sent after commit: written with the change, deleted when sent, sent again by a sweep.
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue text NOT NULL,
    body text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now()
);

-- What clients upload before they ask for a build or an import: whole objects, or Koji's pieces.
CREATE TABLE upload (
    path text PRIMARY KEY,
    owner bigint NOT NULL REFERENCES users (id),
    create_time timestamptz NOT NULL,
    -- of the multipart upload under way; null when the object is whole
    upload_id text,
    -- null until whole
    size bigint,
    done_time timestamptz
);
CREATE INDEX upload_dir ON upload (regexp_replace(path, '/[^/]*$', ''));

CREATE TABLE upload_piece (
    path text NOT NULL REFERENCES upload (path) ON DELETE CASCADE,
    start bigint NOT NULL,
    size bigint NOT NULL,
    adler32 bigint NOT NULL,
    PRIMARY KEY (path, start)
);

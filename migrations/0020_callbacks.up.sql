-- What has happened and somebody outside is told of. It stays after it was told, to be told again; the sweep deletes it.
CREATE TABLE callback_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Koji's name of the callback point, such as postTag
    callback text NOT NULL,
    -- such as build.tag
    address text NOT NULL,
    -- events of one key are told in their order; null = in any
    key text,
    props jsonb NOT NULL,
    body jsonb NOT NULL,
    -- who was to be told when it happened
    receivers text[] NOT NULL,
    create_time timestamptz NOT NULL
);
CREATE INDEX callback_log_time ON callback_log (create_time);

-- Who has not been told yet. Each event of a key waits for those before it.
CREATE TABLE callback_delivery (
    receiver text NOT NULL,
    event_id bigint NOT NULL REFERENCES callback_log (id) ON DELETE CASCADE,
    key text,
    -- since when it is to be told: too long, and it is given up
    since timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    due_time timestamptz NOT NULL,
    -- somebody is telling it; null = nobody
    lease_expires_at timestamptz,
    -- why the last attempt failed
    problem text,
    PRIMARY KEY (receiver, event_id)
);
CREATE INDEX callback_delivery_key ON callback_delivery (receiver, key, event_id);
CREATE INDEX callback_delivery_due ON callback_delivery (due_time);
CREATE INDEX callback_delivery_event ON callback_delivery (event_id);

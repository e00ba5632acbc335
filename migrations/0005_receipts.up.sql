-- A write that a client sends again under the same key is answered from here, and done once. Swept after a day.
CREATE TABLE call_receipt (
    key text PRIMARY KEY,
    digest bytea NOT NULL,
    reply jsonb,
    create_time timestamptz NOT NULL
);
CREATE INDEX call_receipt_time ON call_receipt (create_time);

-- When a scheduled pass last ran: a gap means that the hub was away, not the builders.
CREATE TABLE pass_run (
    name text PRIMARY KEY,
    time timestamptz NOT NULL
);

-- A write that a client sends again under the same key is answered from here, and done once. Swept after a day.
CREATE TABLE call_receipt (
    key text PRIMARY KEY,
    digest bytea NOT NULL,
    reply jsonb,
    create_time timestamptz NOT NULL
);
CREATE INDEX call_receipt_time ON call_receipt (create_time);

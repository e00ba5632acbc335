-- Policies that an admin has set. They go before those of the deployment's file and the built-in ones.
CREATE TABLE policy (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    rules text NOT NULL,
    create_event bigint NOT NULL REFERENCES events (id),
    creator_id bigint NOT NULL REFERENCES users (id),
    revoke_event bigint REFERENCES events (id),
    revoker_id bigint REFERENCES users (id),
    active boolean DEFAULT true CHECK (active),
    CHECK ((active IS NULL) = (revoke_event IS NOT NULL)),
    UNIQUE (name, active)
);

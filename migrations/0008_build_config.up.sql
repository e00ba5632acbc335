-- What changes about a build, with its history. Koji keeps only the present, so its calls do not show this.
CREATE TABLE build_config (
    build_id bigint NOT NULL REFERENCES build (id),
    state smallint NOT NULL CHECK (state BETWEEN 0 AND 4),
    owner bigint NOT NULL REFERENCES users (id),
    volume_id bigint NOT NULL REFERENCES volume (id),
    create_event bigint NOT NULL REFERENCES events (id),
    creator_id bigint NOT NULL REFERENCES users (id),
    revoke_event bigint REFERENCES events (id),
    revoker_id bigint REFERENCES users (id),
    active boolean DEFAULT true CHECK (active),
    CHECK ((active IS NULL) = (revoke_event IS NOT NULL)),
    UNIQUE (build_id, active),
    PRIMARY KEY (create_event, build_id)
);
CREATE INDEX build_config_build ON build_config (build_id);

-- what is known of builds that were there before: they have always been as they are
INSERT INTO build_config (build_id, state, owner, volume_id, create_event, creator_id)
    SELECT id, state, owner, volume_id, create_event, owner FROM build;

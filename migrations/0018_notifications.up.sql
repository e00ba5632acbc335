-- Who wants to be told of builds, and who not. A null package or tag means any.
CREATE TABLE build_notifications (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users (id),
    package_id bigint REFERENCES package (id),
    tag_id bigint REFERENCES tag (id),
    -- not of builds that failed or were cancelled
    success_only boolean NOT NULL,
    email text NOT NULL,
    UNIQUE NULLS NOT DISTINCT (user_id, package_id, tag_id, success_only)
);
CREATE INDEX build_notifications_package ON build_notifications (package_id);

CREATE TABLE build_notifications_block (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users (id),
    package_id bigint REFERENCES package (id),
    tag_id bigint REFERENCES tag (id),
    UNIQUE NULLS NOT DISTINCT (user_id, package_id, tag_id)
);

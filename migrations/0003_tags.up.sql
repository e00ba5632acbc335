CREATE TABLE package (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);

-- The name stays when a tag is deleted; a later create with that name takes the same id.
CREATE TABLE tag (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);

CREATE TABLE tag_config (
    tag_id bigint NOT NULL REFERENCES tag (id),
    arches text,
    perm_id bigint REFERENCES permissions (id),
    locked boolean NOT NULL DEFAULT false,
    maven_support boolean NOT NULL DEFAULT false,
    maven_include_all boolean NOT NULL DEFAULT false,
    create_event bigint NOT NULL REFERENCES events (id),
    creator_id bigint NOT NULL REFERENCES users (id),
    revoke_event bigint REFERENCES events (id),
    revoker_id bigint REFERENCES users (id),
    active boolean DEFAULT true CHECK (active),
    CHECK ((active IS NULL) = (revoke_event IS NOT NULL)),
    UNIQUE (tag_id, active),
    PRIMARY KEY (create_event, tag_id)
);
CREATE INDEX tag_config_tag ON tag_config (tag_id);

-- A null value blocks the key: what ancestors say of it is hidden. JSON null is a value.
CREATE TABLE tag_extra (
    tag_id bigint NOT NULL REFERENCES tag (id),
    key text NOT NULL,
    value text,
    create_event bigint NOT NULL REFERENCES events (id),
    creator_id bigint NOT NULL REFERENCES users (id),
    revoke_event bigint REFERENCES events (id),
    revoker_id bigint REFERENCES users (id),
    active boolean DEFAULT true CHECK (active),
    CHECK ((active IS NULL) = (revoke_event IS NOT NULL)),
    UNIQUE (tag_id, key, active),
    PRIMARY KEY (create_event, tag_id, key)
);
CREATE INDEX tag_extra_tag ON tag_extra (tag_id);

CREATE TABLE tag_inheritance (
    tag_id bigint NOT NULL REFERENCES tag (id),
    parent_id bigint NOT NULL REFERENCES tag (id),
    priority integer NOT NULL,
    maxdepth integer,
    intransitive boolean NOT NULL DEFAULT false,
    noconfig boolean NOT NULL DEFAULT false,
    pkg_filter text NOT NULL DEFAULT '',
    UNIQUE (tag_id, priority, active),
    create_event bigint NOT NULL REFERENCES events (id),
    creator_id bigint NOT NULL REFERENCES users (id),
    revoke_event bigint REFERENCES events (id),
    revoker_id bigint REFERENCES users (id),
    active boolean DEFAULT true CHECK (active),
    CHECK ((active IS NULL) = (revoke_event IS NOT NULL)),
    UNIQUE (tag_id, parent_id, active),
    PRIMARY KEY (create_event, tag_id, parent_id)
);
CREATE INDEX tag_inheritance_tag ON tag_inheritance (tag_id);
CREATE INDEX tag_inheritance_parent ON tag_inheritance (parent_id);

CREATE TABLE tag_packages (
    package_id bigint NOT NULL REFERENCES package (id),
    tag_id bigint NOT NULL REFERENCES tag (id),
    blocked boolean NOT NULL DEFAULT false,
    extra_arches text,
    create_event bigint NOT NULL REFERENCES events (id),
    creator_id bigint NOT NULL REFERENCES users (id),
    revoke_event bigint REFERENCES events (id),
    revoker_id bigint REFERENCES users (id),
    active boolean DEFAULT true CHECK (active),
    CHECK ((active IS NULL) = (revoke_event IS NOT NULL)),
    UNIQUE (package_id, tag_id, active),
    PRIMARY KEY (create_event, package_id, tag_id)
);
CREATE INDEX tag_packages_tag ON tag_packages (tag_id, create_event);
CREATE INDEX tag_packages_revoked ON tag_packages (tag_id, revoke_event) WHERE revoke_event IS NOT NULL;

CREATE TABLE tag_package_owners (
    package_id bigint NOT NULL REFERENCES package (id),
    tag_id bigint NOT NULL REFERENCES tag (id),
    owner bigint NOT NULL REFERENCES users (id),
    create_event bigint NOT NULL REFERENCES events (id),
    creator_id bigint NOT NULL REFERENCES users (id),
    revoke_event bigint REFERENCES events (id),
    revoker_id bigint REFERENCES users (id),
    active boolean DEFAULT true CHECK (active),
    CHECK ((active IS NULL) = (revoke_event IS NOT NULL)),
    UNIQUE (package_id, tag_id, active),
    PRIMARY KEY (create_event, package_id, tag_id)
);
CREATE INDEX tag_package_owners_tag ON tag_package_owners (tag_id);

CREATE TABLE build_target (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);

CREATE TABLE build_target_config (
    build_target_id bigint NOT NULL REFERENCES build_target (id),
    build_tag bigint NOT NULL REFERENCES tag (id),
    dest_tag bigint NOT NULL REFERENCES tag (id),
    create_event bigint NOT NULL REFERENCES events (id),
    creator_id bigint NOT NULL REFERENCES users (id),
    revoke_event bigint REFERENCES events (id),
    revoker_id bigint REFERENCES users (id),
    active boolean DEFAULT true CHECK (active),
    CHECK ((active IS NULL) = (revoke_event IS NOT NULL)),
    UNIQUE (build_target_id, active),
    PRIMARY KEY (create_event, build_target_id)
);
CREATE INDEX build_target_config_build_tag ON build_target_config (build_tag);
CREATE INDEX build_target_config_dest_tag ON build_target_config (dest_tag);

CREATE TABLE groups (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);

CREATE TABLE group_config (
    group_id bigint NOT NULL REFERENCES groups (id),
    tag_id bigint NOT NULL REFERENCES tag (id),
    blocked boolean NOT NULL DEFAULT false,
    exported boolean DEFAULT true,
    display_name text NOT NULL,
    is_default boolean,
    uservisible boolean DEFAULT true,
    description text,
    langonly text,
    biarchonly boolean DEFAULT false,
    create_event bigint NOT NULL REFERENCES events (id),
    creator_id bigint NOT NULL REFERENCES users (id),
    revoke_event bigint REFERENCES events (id),
    revoker_id bigint REFERENCES users (id),
    active boolean DEFAULT true CHECK (active),
    CHECK ((active IS NULL) = (revoke_event IS NOT NULL)),
    UNIQUE (group_id, tag_id, active),
    PRIMARY KEY (create_event, group_id, tag_id)
);
CREATE INDEX group_config_tag ON group_config (tag_id);

CREATE TABLE group_req_listing (
    group_id bigint NOT NULL REFERENCES groups (id),
    tag_id bigint NOT NULL REFERENCES tag (id),
    req_id bigint NOT NULL REFERENCES groups (id),
    blocked boolean NOT NULL DEFAULT false,
    type text NOT NULL DEFAULT 'mandatory',
    is_metapkg boolean NOT NULL DEFAULT false,
    create_event bigint NOT NULL REFERENCES events (id),
    creator_id bigint NOT NULL REFERENCES users (id),
    revoke_event bigint REFERENCES events (id),
    revoker_id bigint REFERENCES users (id),
    active boolean DEFAULT true CHECK (active),
    CHECK ((active IS NULL) = (revoke_event IS NOT NULL)),
    UNIQUE (group_id, tag_id, req_id, active),
    PRIMARY KEY (create_event, group_id, tag_id, req_id)
);
CREATE INDEX group_req_listing_tag ON group_req_listing (tag_id);

CREATE TABLE group_package_listing (
    group_id bigint NOT NULL REFERENCES groups (id),
    tag_id bigint NOT NULL REFERENCES tag (id),
    package text NOT NULL,
    blocked boolean NOT NULL DEFAULT false,
    type text NOT NULL DEFAULT 'mandatory',
    basearchonly boolean,
    requires text,
    create_event bigint NOT NULL REFERENCES events (id),
    creator_id bigint NOT NULL REFERENCES users (id),
    revoke_event bigint REFERENCES events (id),
    revoker_id bigint REFERENCES users (id),
    active boolean DEFAULT true CHECK (active),
    CHECK ((active IS NULL) = (revoke_event IS NOT NULL)),
    UNIQUE (group_id, tag_id, package, active),
    PRIMARY KEY (create_event, group_id, tag_id, package)
);
CREATE INDEX group_package_listing_tag ON group_package_listing (tag_id);

CREATE TABLE external_repo (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);
-- what toji itself has built
INSERT INTO external_repo (id, name) VALUES (0, 'INTERNAL');

CREATE TABLE external_repo_config (
    external_repo_id bigint NOT NULL REFERENCES external_repo (id),
    url text NOT NULL,
    create_event bigint NOT NULL REFERENCES events (id),
    creator_id bigint NOT NULL REFERENCES users (id),
    revoke_event bigint REFERENCES events (id),
    revoker_id bigint REFERENCES users (id),
    active boolean DEFAULT true CHECK (active),
    CHECK ((active IS NULL) = (revoke_event IS NOT NULL)),
    UNIQUE (external_repo_id, active),
    PRIMARY KEY (create_event, external_repo_id)
);

CREATE TABLE external_repo_data (
    external_repo_id bigint NOT NULL REFERENCES external_repo (id),
    data jsonb NOT NULL,
    create_event bigint NOT NULL REFERENCES events (id),
    creator_id bigint NOT NULL REFERENCES users (id),
    revoke_event bigint REFERENCES events (id),
    revoker_id bigint REFERENCES users (id),
    active boolean DEFAULT true CHECK (active),
    CHECK ((active IS NULL) = (revoke_event IS NOT NULL)),
    UNIQUE (external_repo_id, active),
    PRIMARY KEY (create_event, external_repo_id)
);

CREATE TABLE tag_external_repos (
    tag_id bigint NOT NULL REFERENCES tag (id),
    external_repo_id bigint NOT NULL REFERENCES external_repo (id),
    priority integer NOT NULL,
    merge_mode text NOT NULL DEFAULT 'koji' CHECK (merge_mode IN ('koji', 'simple', 'bare')),
    arches text,
    UNIQUE (tag_id, priority, active),
    create_event bigint NOT NULL REFERENCES events (id),
    creator_id bigint NOT NULL REFERENCES users (id),
    revoke_event bigint REFERENCES events (id),
    revoker_id bigint REFERENCES users (id),
    active boolean DEFAULT true CHECK (active),
    CHECK ((active IS NULL) = (revoke_event IS NOT NULL)),
    UNIQUE (tag_id, external_repo_id, active),
    PRIMARY KEY (create_event, tag_id, external_repo_id)
);
CREATE INDEX tag_external_repos_tag ON tag_external_repos (tag_id);
CREATE INDEX tag_external_repos_repo ON tag_external_repos (external_repo_id);

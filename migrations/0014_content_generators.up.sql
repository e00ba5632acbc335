-- Content generators: builds that others make, and bring with a description of how. Who may act for which one is versioned.
CREATE TABLE content_generator (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);

CREATE TABLE cg_users (
    cg_id bigint NOT NULL REFERENCES content_generator (id),
    user_id bigint NOT NULL REFERENCES users (id),
    create_event bigint NOT NULL REFERENCES events (id),
    creator_id bigint NOT NULL REFERENCES users (id),
    revoke_event bigint REFERENCES events (id),
    revoker_id bigint REFERENCES users (id),
    active boolean DEFAULT true CHECK (active),
    CHECK ((active IS NULL) = (revoke_event IS NOT NULL)),
    UNIQUE (cg_id, user_id, active),
    PRIMARY KEY (create_event, cg_id, user_id)
);

ALTER TABLE build ADD COLUMN cg_id bigint REFERENCES content_generator (id);
CREATE INDEX build_cg ON build (cg_id) WHERE cg_id IS NOT NULL;

-- A name that a content generator has reserved. Only the SHA-256 of its token is kept.
CREATE TABLE build_reservations (
    build_id bigint PRIMARY KEY REFERENCES build (id),
    token_hash bytea NOT NULL CHECK (length(token_hash) = 32),
    create_time timestamptz NOT NULL
);

-- What kinds of content a build has.
CREATE TABLE btype (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);
INSERT INTO btype (name) VALUES ('rpm'), ('maven'), ('win'), ('image');

CREATE TABLE build_types (
    build_id bigint NOT NULL REFERENCES build (id),
    btype_id bigint NOT NULL REFERENCES btype (id),
    PRIMARY KEY (build_id, btype_id)
);
INSERT INTO build_types (build_id, btype_id)
    SELECT build.id, btype.id FROM build JOIN btype ON btype.name = 'rpm';

-- Files that are no RPMs, told apart by how their names end. The kinds are Koji's.
CREATE TABLE archivetypes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    description text NOT NULL,
    -- separated by spaces, without the first dot
    extensions text NOT NULL,
    -- how to look into it
    compression_type text CHECK (compression_type IN ('zip', 'tar'))
);
INSERT INTO archivetypes (name, description, extensions, compression_type)
SELECT name, 'File of the kind ' || name, extensions, compression_type FROM (VALUES
    ('jar', 'jar war rar ear sar jdocbook jdocbook-style', 'zip'), ('zip', 'zip', 'zip'), ('pom', 'pom', NULL),
    ('tar', 'tar tar.gz tar.bz2 tar.xz tgz', 'tar'), ('xml', 'xml', NULL),
    ('xmlcompressed', 'xml.gz xml.bz2 xml.xz', NULL), ('xsd', 'xsd', NULL), ('spec', 'spec', NULL),
    ('exe', 'exe', NULL), ('dll', 'dll', NULL), ('lib', 'lib', NULL), ('sys', 'sys', NULL), ('inf', 'inf', NULL),
    ('cat', 'cat', NULL), ('msi', 'msi', NULL), ('pdb', 'pdb', NULL), ('oem', 'oem', NULL), ('iso', 'iso', NULL),
    ('raw', 'raw', NULL), ('qcow', 'qcow', NULL), ('qcow2', 'qcow2', NULL), ('vmdk', 'vmdk', NULL),
    ('ova', 'ova', NULL), ('ks', 'ks', NULL), ('cfg', 'cfg', NULL), ('vdi', 'vdi', NULL), ('aar', 'aar', NULL),
    ('apklib', 'apklib', NULL), ('cab', 'cab', NULL), ('dylib', 'dylib', NULL), ('gem', 'gem', NULL),
    ('ini', 'ini', NULL), ('js', 'js', NULL), ('ldif', 'ldif', NULL), ('manifest', 'manifest', NULL),
    ('msm', 'msm', NULL), ('properties', 'properties', NULL), ('sig', 'sig signature', NULL), ('so', 'so', NULL),
    ('txt', 'txt', NULL), ('vhd', 'vhd', NULL), ('vhdx', 'vhdx', NULL), ('wsf', 'wsf', NULL), ('box', 'box', NULL),
    ('raw-xz', 'raw.xz', NULL), ('json', 'json', NULL), ('key', 'key', NULL), ('dot', 'dot gv', NULL),
    ('groovy', 'groovy gvy', NULL), ('batch', 'bat', NULL), ('shell', 'sh', NULL), ('rc', 'rc', NULL),
    ('wsdl', 'wsdl', NULL), ('obr', 'obr', NULL), ('liveimg-squashfs', 'liveimg.squashfs', NULL),
    ('tlb', 'tlb', NULL), ('jnilib', 'jnilib', NULL), ('yaml', 'yaml yml', NULL), ('xjb', 'xjb', NULL),
    ('raw-gz', 'raw.gz', NULL), ('qcow2-compressed', 'qcow2.gz qcow2.xz', NULL),
    ('iso-compressed', 'iso.gz iso.xz', NULL), ('vhd-compressed', 'vhd.gz vhd.xz', NULL),
    ('vhdx-compressed', 'vhdx.gz vhdx.xz', NULL), ('vmdk-compressed', 'vmdk.gz vmdk.xz', NULL),
    ('kernel-image', 'vmlinuz vmlinuz.gz vmlinuz.xz', NULL), ('initramfs', 'img', NULL),
    ('checksum', 'sha256', NULL), ('changes', 'changes.xz changes', NULL), ('packages', 'packages', NULL),
    ('verified', 'verified', NULL), ('erofs', 'erofs', NULL), ('erofs-compressed', 'erofs.gz erofs.xz', NULL),
    ('squashfs', 'squashfs', NULL), ('squashfs-compressed', 'squashfs.gz squashfs.xz', NULL), ('wsl', 'wsl', NULL)
) AS kind (name, extensions, compression_type);

CREATE TABLE archiveinfo (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    type_id bigint NOT NULL REFERENCES archivetypes (id),
    btype_id bigint NOT NULL REFERENCES btype (id),
    build_id bigint NOT NULL REFERENCES build (id),
    buildroot_id bigint REFERENCES buildroot (id),
    filename text NOT NULL,
    -- the folder below the btype's own; '' = none
    subdir text NOT NULL DEFAULT '',
    size bigint NOT NULL,
    -- lower-case hex
    checksum text NOT NULL,
    -- md5 0, sha1 1, sha256 2
    checksum_type smallint NOT NULL CHECK (checksum_type BETWEEN 0 AND 2),
    metadata_only boolean NOT NULL DEFAULT false,
    extra jsonb
);
CREATE INDEX archiveinfo_build ON archiveinfo (build_id);
CREATE INDEX archiveinfo_buildroot ON archiveinfo (buildroot_id);
CREATE INDEX archiveinfo_filename ON archiveinfo (filename);

CREATE TABLE archive_rpm_components (
    archive_id bigint NOT NULL REFERENCES archiveinfo (id),
    rpm_id bigint NOT NULL REFERENCES rpminfo (id),
    PRIMARY KEY (archive_id, rpm_id)
);
CREATE INDEX archive_rpm_components_rpm ON archive_rpm_components (rpm_id);

CREATE TABLE archive_components (
    archive_id bigint NOT NULL REFERENCES archiveinfo (id),
    component_id bigint NOT NULL REFERENCES archiveinfo (id),
    PRIMARY KEY (archive_id, component_id)
);
CREATE INDEX archive_components_component ON archive_components (component_id);

-- Buildroots that a content generator has described have no state, no repo and no event.
ALTER TABLE buildroot
    ADD COLUMN cg_id bigint REFERENCES content_generator (id),
    ADD COLUMN cg_version text,
    ADD COLUMN host_os text,
    ADD COLUMN host_arch text,
    ALTER COLUMN state DROP NOT NULL,
    ALTER COLUMN create_event DROP NOT NULL,
    ADD CONSTRAINT buildroot_of_builder CHECK (br_type <> 0 OR (state IS NOT NULL AND create_event IS NOT NULL)),
    ADD CONSTRAINT buildroot_external CHECK ((br_type = 1) = (cg_id IS NOT NULL));

CREATE TABLE buildroot_archives (
    buildroot_id bigint NOT NULL REFERENCES buildroot (id),
    archive_id bigint NOT NULL REFERENCES archiveinfo (id),
    project_dep boolean NOT NULL DEFAULT false,
    PRIMARY KEY (buildroot_id, archive_id)
);
CREATE INDEX buildroot_archives_archive ON buildroot_archives (archive_id);

CREATE TABLE buildroot_tools_info (
    buildroot_id bigint NOT NULL REFERENCES buildroot (id),
    tool text NOT NULL,
    version text NOT NULL,
    PRIMARY KEY (buildroot_id, tool)
);

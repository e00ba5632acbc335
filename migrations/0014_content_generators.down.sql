DROP TABLE buildroot_tools_info, buildroot_archives;
UPDATE rpminfo SET buildroot_id = NULL FROM buildroot WHERE buildroot.id = buildroot_id AND br_type = 1;
UPDATE archiveinfo SET buildroot_id = NULL;
DELETE FROM buildroot_listing USING buildroot WHERE buildroot.id = buildroot_id AND br_type = 1;
DELETE FROM buildroot WHERE br_type = 1;
ALTER TABLE buildroot
    DROP CONSTRAINT buildroot_of_builder,
    DROP CONSTRAINT buildroot_external,
    DROP COLUMN cg_id,
    DROP COLUMN cg_version,
    DROP COLUMN host_os,
    DROP COLUMN host_arch,
    ALTER COLUMN state SET NOT NULL,
    ALTER COLUMN create_event SET NOT NULL;
DROP TABLE archive_components, archive_rpm_components, archiveinfo, archivetypes, build_types, btype, build_reservations;
ALTER TABLE build DROP COLUMN cg_id;
DROP TABLE cg_users, content_generator;

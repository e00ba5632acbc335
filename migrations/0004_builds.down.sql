DROP VIEW tag_change;
DROP TABLE buildroot_listing, rpm_fragment, rpmsigs, rpminfo, buildroot, repo_queue, repo, tag_updates, tag_listing,
    pending_import, build, volume;

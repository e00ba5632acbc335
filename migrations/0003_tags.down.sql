DROP TABLE tag_external_repos, external_repo_data, external_repo_config, external_repo, group_package_listing,
    group_req_listing, group_config, groups, build_target_config, build_target, tag_package_owners, tag_packages,
    tag_inheritance, tag_extra, tag_config, tag, package;

-- Which data files the repos of a tag are made of, so that those which no repo names can go.

CREATE TABLE repo_data (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- of the tag's repos, or of its dist repos; a tag may have another name since
    folder text NOT NULL,
    -- made of the content
    name text NOT NULL,
    -- when a repo last began or ceased to be made of it
    used_at timestamptz NOT NULL,
    -- its object is being deleted: no repo is made of it now
    deleting boolean NOT NULL DEFAULT false,
    UNIQUE (folder, name)
);
CREATE INDEX repo_data_used ON repo_data (used_at);

CREATE TABLE repo_file (
    repo_id bigint NOT NULL REFERENCES repo (id),
    data_id bigint NOT NULL REFERENCES repo_data (id),
    PRIMARY KEY (repo_id, data_id)
);
CREATE INDEX repo_file_data ON repo_file (data_id);

-- The times are read for each package of a repo, the fragments for few.
CREATE INDEX rpm_fragment_times ON rpm_fragment (rpm_id) INCLUDE (mtime);

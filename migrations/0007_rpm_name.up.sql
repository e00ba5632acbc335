-- An RPM is looked for by its name, whether it is a draft or not.
CREATE INDEX rpminfo_name ON rpminfo (name, version, release, arch);

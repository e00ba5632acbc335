DROP INDEX rpminfo_name;

DROP INDEX rpm_fragment_times;
DROP TABLE repo_file;
DROP TABLE repo_data;

DROP TABLE rpm_checksum;

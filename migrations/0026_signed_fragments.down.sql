DROP TABLE rpm_signed_fragment;

DROP TABLE build_config;

DROP TABLE sessions, user_groups, user_perms, permissions, api_token, user_krb_principals, users;
DROP FUNCTION is_live(boolean, bigint, bigint, bigint);
DROP FUNCTION new_event();
DROP TABLE events;
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I RESET plan_cache_mode', current_database());
END $$;

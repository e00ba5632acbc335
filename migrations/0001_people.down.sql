DROP TABLE sessions, user_groups, user_perms, permissions, api_token, user_krb_principals, users;
DROP FUNCTION is_live(boolean, bigint, bigint, bigint);
DROP FUNCTION new_event();
DROP TABLE events;

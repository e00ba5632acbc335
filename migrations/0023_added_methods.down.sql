ALTER TABLE host DROP COLUMN added_methods;

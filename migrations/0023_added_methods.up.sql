-- Kinds of tasks that the operator of a builder has added, as it told them last: {method, weight, channel}, the latter two where
-- such tasks have them when nobody says otherwise.
ALTER TABLE host ADD COLUMN added_methods jsonb NOT NULL DEFAULT '[]';

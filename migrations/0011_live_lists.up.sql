-- What is in a tag now, without reading what has been in it: of a tag that has lived for years that is nearly all.
CREATE INDEX tag_listing_live ON tag_listing (tag_id) WHERE active;

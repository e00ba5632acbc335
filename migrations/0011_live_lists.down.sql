DROP INDEX tag_listing_live;

//! Builds that are in no tag.

use toji_protocol::method::{
    Listing,
    content::{UntaggedBuild, UntaggedBuilds},
};

use super::sql;
use crate::{
    Result,
    call::{Cx, Handle},
};

impl Handle for UntaggedBuilds {
    async fn handle(self, cx: &mut Cx) -> Result<Listing<UntaggedBuild>> {
        let opts = self.query_opts.unwrap_or_default();
        sql::untagged(cx.db().await?, self.name.as_deref(), self.draft, &opts).await
    }
}

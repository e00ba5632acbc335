//! `toji add-tag`

use toji_protocol::{
    id::{PermissionId, Ref, TagId},
    method::{Named, tag::CreateTag},
    value::Value,
};

use crate::{argument, session::Session};

/// Add a tag
#[derive(clap::Args)]
pub(crate) struct AddTag {
    /// Its name
    name: String,
    /// Inherit from this tag
    #[arg(long, value_parser = argument::named::<TagId>)]
    parent: Option<Ref<TagId>>,
    /// Architectures to build for, with blanks between
    #[arg(long)]
    arches: Option<String>,
    /// The permission that tagging into it takes
    #[arg(long, value_parser = argument::named::<PermissionId>)]
    perm: Option<Ref<PermissionId>>,
    /// Let nothing be tagged into it
    #[arg(long)]
    locked: bool,
    /// A further setting, such as mock.package_manager=dnf; may be repeated
    #[arg(long, short = 'x', value_name = "KEY=VALUE", value_parser = argument::pair)]
    extra: Vec<(String, Value)>,
}

impl AddTag {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let extra = (!self.extra.is_empty()).then(|| Named::from_iter(self.extra));
        let tag = CreateTag {
            name: self.name,
            parent: self.parent,
            arches: self.arches,
            perm: self.perm,
            locked: self.locked,
            maven_support: false,
            maven_include_all: false,
            extra,
        };
        session.call(&tag).await.map(drop)
    }
}

//! Sources from version control: what a URL may say, where it may point, and the checkout.

mod allow;
mod checkout;
mod git;
mod policy;
mod svn;
mod tool;
mod url;

pub(crate) use allow::{AllowList, Allowed};
pub(crate) use checkout::{Checkout, checkout};
pub(crate) use policy::{facts, verdict};
pub(crate) use url::{Kind, ScmUrl};

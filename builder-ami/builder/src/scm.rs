//! Sources from version control: what a URL may say, where it may point, and the checkout.

mod allow;
mod checkout;
mod url;

pub(crate) use allow::{AllowList, Allowed};
pub(crate) use checkout::{Checkout, checkout};
pub(crate) use url::{Scheme, ScmUrl};

//! What things may be called.

use crate::{Error, Result, error::FaultCode};

/// The most characters of a name.
pub const MAX: usize = 256;

/// A tag's, target's, host's, channel's, package's … name: letters, digits and `/ _ . + -`.
///
/// # Errors
/// With Koji's fault when it breaks the rule.
pub fn check(kind: &str, name: &str) -> Result<()> {
    check_with(kind, name, "/_.+-")
}

/// A user's name: those, and `@`.
///
/// # Errors
/// With Koji's fault when it breaks the rule.
pub fn check_user(name: &str) -> Result<()> {
    check_with("user", name, "/_.+-@")
}

/// A Kerberos principal: as a user's name.
///
/// # Errors
/// With Koji's fault when it breaks the rule.
pub fn check_principal(name: &str) -> Result<()> {
    check_with("Kerberos principal", name, "/_.+-@")
}

fn check_with(kind: &str, name: &str, others: &str) -> Result<()> {
    let bad = |message: String| Err(Error::Invalid(FaultCode::NameValidation, message));
    if name.is_empty() {
        return bad(format!("{kind} name must not be empty"));
    }
    if name.len() > MAX {
        return bad(format!("{kind} name '{name}' is too long: {MAX} characters at the most"));
    }
    match name.chars().find(|c| !c.is_ascii_alphanumeric() && !others.contains(*c)) {
        Some(c) => {
            bad(format!("{kind} name '{name}' contains {c:?}: only letters, digits and these are allowed: {others}"))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        assert!(check("tag", "f42-build/x_y.z+1").is_ok());
        assert!(check_user("a@b.org").is_ok());
        for bad in ["", "a b", "a@b", "a;b", "ä"] {
            assert!(check("tag", bad).is_err(), "{bad}");
        }
        assert!(check("tag", &"x".repeat(257)).is_err());
    }
}

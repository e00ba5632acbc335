//! A letter, before anybody has made a message of it.

/// A letter to one or more people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The addresses of those who receive it, each once.
    pub to: Vec<String>,
    /// What it is about.
    pub subject: String,
    /// `X-Koji-…`: what people's filters look at.
    pub headers: Vec<(&'static str, String)>,
    /// What it says; lines end with `\n`.
    pub text: String,
    /// The same for the same event, so that a letter which arrives twice is known. What stands before the `@` of its Message-ID.
    pub id: String,
}

//! The URL of sources: `scheme://[user[:password]@]host/path[?module]#revision`.

use thiserror::Error;

/// How sources are fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// git's own protocol.
    Git,
    /// git over HTTP.
    GitHttp,
    /// git over HTTPS.
    GitHttps,
    /// git over rsync; known to Koji's grammar, no longer to git.
    GitRsync,
    /// git over SSH.
    GitSsh,
    /// Subversion's own protocol.
    Svn,
    /// Subversion over HTTP.
    SvnHttp,
    /// Subversion over HTTPS.
    SvnHttps,
    /// Subversion over SSH.
    SvnSsh,
    /// CVS: Koji's grammar has it, this builder does not.
    Cvs,
}

/// The program that fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// git.
    Git,
    /// Subversion.
    Svn,
}

impl Scheme {
    /// What fetches by it; None = nothing here does.
    pub fn kind(self) -> Option<Kind> {
        match self {
            Scheme::Git | Scheme::GitHttp | Scheme::GitHttps | Scheme::GitSsh => Some(Kind::Git),
            Scheme::Svn | Scheme::SvnHttp | Scheme::SvnHttps | Scheme::SvnSsh => Some(Kind::Svn),
            Scheme::GitRsync | Scheme::Cvs => None,
        }
    }

    /// Koji's name for the kind, which policies are told.
    pub fn type_name(self) -> &'static str {
        match self {
            Scheme::Git | Scheme::GitHttp | Scheme::GitHttps | Scheme::GitRsync => "GIT",
            Scheme::GitSsh => "GIT+SSH",
            Scheme::Svn | Scheme::SvnHttp | Scheme::SvnHttps => "SVN",
            Scheme::SvnSsh => "SVN+SSH",
            Scheme::Cvs => "CVS",
        }
    }
}

/// Where sources are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScmUrl {
    /// How they are fetched.
    pub scheme: Scheme,
    /// The scheme as it was written.
    pub scheme_name: String,
    /// Who fetches.
    pub user: Option<String>,
    /// Their password.
    pub password: Option<String>,
    /// From where, with the port.
    pub host: String,
    /// The repository's path on the host, with a slash in front.
    pub repository: String,
    /// The folder within, where the spec is.
    pub module: Option<String>,
    /// Branch, tag or commit.
    pub revision: String,
}

/// Why a URL is refused.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("invalid SCM URL '{url}': {problem}")]
pub struct ScmUrlError {
    /// The URL, without its password.
    pub url: String,
    /// What is wrong.
    pub problem: &'static str,
}

const SCHEMES: [(&str, Scheme); 11] = [
    ("git", Scheme::Git),
    ("git+http", Scheme::GitHttp),
    ("git+https", Scheme::GitHttps),
    ("git+rsync", Scheme::GitRsync),
    ("git+ssh", Scheme::GitSsh),
    ("cvs", Scheme::Cvs),
    ("cvs+ssh", Scheme::Cvs),
    ("svn", Scheme::Svn),
    ("svn+http", Scheme::SvnHttp),
    ("svn+https", Scheme::SvnHttps),
    ("svn+ssh", Scheme::SvnSsh),
];

impl ScmUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// When it breaks the grammar, or could be taken for an option or a way out of the checkout.
    pub fn parse(url: &str) -> Result<Self, ScmUrlError> {
        Self::read(url).map_err(|problem| ScmUrlError { url: without_password(url), problem })
    }

    fn read(url: &str) -> Result<Self, &'static str> {
        if url.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err("it has blanks or control characters");
        }
        let (scheme_name, rest) = url.split_once("://").ok_or("it has no scheme")?;
        let scheme = SCHEMES.iter().find(|(name, _)| *name == scheme_name).ok_or("the scheme is not known")?.1;
        let (rest, revision) = rest.split_once('#').ok_or("the revision is missing (`#…` at the end)")?;
        let (rest, module) = match rest.split_once('?') {
            Some((rest, module)) => (rest, Some(module).filter(|module| !module.is_empty())),
            None => (rest, None),
        };
        let (authority, path) = rest.split_once('/').ok_or("the path is missing")?;
        let (login, host) = match authority.rsplit_once('@') {
            Some((login, host)) => (Some(login), host),
            None => (None, authority),
        };
        let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, ""))) {
            Some((user, password)) => (Some(user), Some(password).filter(|password| !password.is_empty())),
            None => (None, None),
        };
        let owned = |text: &str| text.to_owned();
        let parsed = Self {
            scheme,
            scheme_name: owned(scheme_name),
            user: user.map(owned),
            password: password.map(owned),
            host: owned(host),
            repository: format!("/{path}"),
            module: module.map(owned),
            revision: owned(revision),
        };
        parsed.check()?;
        Ok(parsed)
    }

    fn check(&self) -> Result<(), &'static str> {
        if self.host.is_empty() || self.host.starts_with('-') {
            return Err("the host is missing");
        }
        if self.user.as_deref().is_some_and(|user| user.is_empty() || user.starts_with('-')) {
            return Err("the user is malformed");
        }
        if self.repository.trim_matches('/').is_empty() {
            return Err("the path is missing");
        }
        if self.revision.is_empty() || self.revision.starts_with('-') {
            return Err("the revision is missing (`#…` at the end)");
        }
        if self.scheme.kind() == Some(Kind::Svn) {
            // svn reads dates and names of its own there, and marks of revisions in paths.
            if self.revision != "HEAD" && self.revision.parse::<u32>().is_err() {
                return Err("the revision of svn sources is a number, or HEAD");
            }
            if self.password.is_some() {
                return Err("svn URLs carry no password here");
            }
        }
        let climbs = |path: &str| path.split('/').any(|step| step == "..");
        if climbs(&self.repository) || self.module.as_deref().is_some_and(|m| climbs(m) || m.starts_with(['/', '-'])) {
            return Err("a path leads outside");
        }
        Ok(())
    }

    /// The URL that git or svn is given for what is at `path` on this host.
    pub fn remote(&self, path: &str) -> String {
        let scheme = match self.scheme {
            // Its own name for it.
            Scheme::SvnSsh => "svn+ssh",
            _ => self.scheme_name.split_once('+').map_or(self.scheme_name.as_str(), |(_, transport)| transport),
        };
        let login = match (&self.user, &self.password) {
            (Some(user), Some(password)) => format!("{user}:{password}@"),
            (Some(user), None) => format!("{user}@"),
            (None, _) => String::new(),
        };
        format!("{scheme}://{login}{}{path}", self.host)
    }

    /// The URL as it is recorded: without the password, at this revision.
    pub fn recorded(&self, revision: &str) -> String {
        let user = self.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        let module = self.module.as_ref().map(|module| format!("?{module}")).unwrap_or_default();
        format!("{}://{user}{}{}{module}#{revision}", self.scheme_name, self.host, self.repository)
    }

    /// What the checkout's folder is called: the last step of the path, without `.git`; of svn sources, that of the part.
    pub fn checkout_name(&self) -> &str {
        let part = self.module.as_deref().filter(|_| self.scheme.kind() == Some(Kind::Svn));
        let path = part.unwrap_or(&self.repository).trim_end_matches('/');
        let name = path.rsplit('/').next().unwrap_or(path);
        name.strip_suffix(".git").filter(|name| !name.is_empty()).unwrap_or(name)
    }
}

fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rsplit_once('@') {
        Some((login, _)) => match login.split_once(':') {
            Some((user, _)) => format!("{scheme}://{user}:***{}", &rest[login.len()..]),
            None => url.to_owned(),
        },
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_its_parts() {
        let url = ScmUrl::parse("git+https://ann:pw@git.example.com:8443/rpms/foo.git?sub/dir#refs/heads/f42").unwrap();
        assert_eq!(url.scheme, Scheme::GitHttps);
        assert_eq!((url.user.as_deref(), url.password.as_deref()), (Some("ann"), Some("pw")));
        assert_eq!((url.host.as_str(), url.repository.as_str()), ("git.example.com:8443", "/rpms/foo.git"));
        assert_eq!((url.module.as_deref(), url.revision.as_str()), (Some("sub/dir"), "refs/heads/f42"));
        assert_eq!(url.remote(&url.repository), "https://ann:pw@git.example.com:8443/rpms/foo.git");
        assert_eq!(url.recorded("c0ffee"), "git+https://ann@git.example.com:8443/rpms/foo.git?sub/dir#c0ffee");
        assert_eq!(url.checkout_name(), "foo");
    }

    #[test]
    fn the_least() {
        let url = ScmUrl::parse("git://h/p#r").unwrap();
        assert_eq!((url.user, url.module), (None, None));
        assert_eq!(ScmUrl::parse("git://h/p?#r").unwrap().module, None);
    }

    /// URL → scheme, what fetches, what it is given, and what is recorded of revision 7.
    #[test]
    fn schemes() {
        for (url, scheme, kind, remote, recorded) in [
            ("git://h/p#7", Scheme::Git, Some(Kind::Git), "git://h/p", "git://h/p#7"),
            ("git+http://h/p#7", Scheme::GitHttp, Some(Kind::Git), "http://h/p", "git+http://h/p#7"),
            ("git+https://h:1/p?m#7", Scheme::GitHttps, Some(Kind::Git), "https://h:1/p", "git+https://h:1/p?m#7"),
            ("git+ssh://u@h/p#7", Scheme::GitSsh, Some(Kind::Git), "ssh://u@h/p", "git+ssh://u@h/p#7"),
            ("git+rsync://h/p#7", Scheme::GitRsync, None, "rsync://h/p", "git+rsync://h/p#7"),
            ("svn://h/p#7", Scheme::Svn, Some(Kind::Svn), "svn://h/p", "svn://h/p#7"),
            ("svn+http://h/p#HEAD", Scheme::SvnHttp, Some(Kind::Svn), "http://h/p", "svn+http://h/p#7"),
            ("svn+https://u@h/p?m#7", Scheme::SvnHttps, Some(Kind::Svn), "https://u@h/p", "svn+https://u@h/p?m#7"),
            ("svn+ssh://u@h/p#7", Scheme::SvnSsh, Some(Kind::Svn), "svn+ssh://u@h/p", "svn+ssh://u@h/p#7"),
            ("cvs://h/p?m#7", Scheme::Cvs, None, "cvs://h/p", "cvs://h/p?m#7"),
            ("cvs+ssh://h/p?m#7", Scheme::Cvs, None, "ssh://h/p", "cvs+ssh://h/p?m#7"),
        ] {
            let parsed = ScmUrl::parse(url).unwrap();
            assert_eq!((parsed.scheme, parsed.scheme.kind()), (scheme, kind), "{url}");
            assert_eq!((parsed.remote(&parsed.repository).as_str(), parsed.recorded("7").as_str()), (remote, recorded));
        }
        for (url, name) in
            [("svn://h/r/trunk/?a/b#1", "b"), ("svn://h/r/trunk/#1", "trunk"), ("git://h/r.git?a/b#1", "r")]
        {
            assert_eq!(ScmUrl::parse(url).unwrap().checkout_name(), name, "{url}");
        }
    }

    #[test]
    fn refused() {
        for (url, told) in [
            ("foo.src.rpm", "no scheme"),
            ("ext::sh -c x", "blanks"),
            ("ftp://h/p#r", "scheme is not known"),
            ("https://h/p#r", "scheme is not known"),
            ("git://h/p", "revision is missing"),
            ("git://h/p#", "revision is missing"),
            ("git://h/p#--upload-pack=x", "revision is missing"),
            ("git://h#r", "path is missing"),
            ("git://h/#r", "path is missing"),
            ("git:///p#r", "host is missing"),
            ("git+ssh://-oProxyCommand=x/p#r", "host is missing"),
            ("git+ssh://-o@h/p#r", "user is malformed"),
            ("git://h/a/../b#r", "leads outside"),
            ("git://h/p?../x#r", "leads outside"),
            ("git://h/p?/etc#r", "leads outside"),
            ("git://h/p#r\n", "control"),
            ("svn://h/p#{2026-01-01}", "a number, or HEAD"),
            ("svn://h/p#BASE", "a number, or HEAD"),
            ("svn://h/p#-1", "revision is missing"),
            ("svn+http://ann:pw@h/p#1", "no password"),
            ("hg://h/p#1", "scheme is not known"),
            ("file:///etc#1", "scheme is not known"),
        ] {
            let error = ScmUrl::parse(url).unwrap_err();
            assert!(error.problem.contains(told), "{url}: {error}");
        }
    }

    #[test]
    fn messages_do_not_tell_the_password() {
        let error = ScmUrl::parse("git+https://ann:secret@h/p").unwrap_err();
        assert_eq!(error.url, "git+https://ann:***@h/p");
    }
}

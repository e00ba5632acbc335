//! Which hub, and who we are there: flags win over the environment, which wins over the profile file.
//!
//! A profile's token and top URL are only used with the profile's own server: naming another server never sends it a
//! secret that was not meant for it.

use std::{collections::BTreeMap, env, fs, io, os::unix::fs::MetadataExt, path::PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;

/// What flags or the environment say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wishes {
    pub(crate) profile: Option<String>,
    pub(crate) server: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) topurl: Option<String>,
}

impl Wishes {
    /// From the environment. An empty variable counts as none.
    pub(crate) fn from_environment() -> Self {
        let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            profile: variable("TOJI_PROFILE"),
            server: variable("TOJI_SERVER"),
            token: variable("TOJI_TOKEN"),
            topurl: variable("TOJI_TOPURL"),
        }
    }
}

/// The hub that is used.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hub {
    pub(crate) server: String,
    pub(crate) token: Option<String>,
    /// Where files are read from, without a slash at the end.
    pub(crate) topurl: String,
}

/// The profile file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProfileFile {
    /// The profile that is used when none is named.
    default: Option<String>,
    #[serde(default)]
    profile: BTreeMap<String, Profile>,
}

/// A hub in the profile file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    server: Option<String>,
    token: Option<String>,
    topurl: Option<String>,
}

impl ProfileFile {
    /// Reads `path`, or the user's own file when nothing is named; that one need not be there.
    ///
    /// # Errors
    /// When it cannot be read or understood.
    pub(crate) fn read(path: Option<PathBuf>) -> anyhow::Result<Self> {
        let named = path.is_some();
        let Some(path) = path.or_else(users_file) else {
            return Ok(Self::default());
        };
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !named => return Ok(Self::default()),
            text => text.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let file: Self = toml::from_str(&text).with_context(|| format!("{} is malformed", path.display()))?;
        let has_token = file.profile.values().any(|profile| profile.token.is_some());
        if has_token && fs::metadata(&path).is_ok_and(|file| file.mode() & 0o077 != 0) {
            crate::output::warn(&format!("others can read the tokens in {0}: chmod 600 {0}", path.display()));
        }
        Ok(file)
    }

    fn named(&self, name: &str) -> anyhow::Result<&Profile> {
        let known = self.profile.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let known = if known.is_empty() { "there are none".to_owned() } else { format!("there are: {known}") };
        self.profile.get(name).with_context(|| format!("no profile is named '{name}' ({known})"))
    }

    /// The profile that is used when none is named: the one said to be, the one called so, or the only one.
    fn fallback(&self) -> anyhow::Result<Option<&Profile>> {
        match &self.default {
            Some(name) => self.named(name).map(Some),
            None if self.profile.len() == 1 => Ok(self.profile.values().next()),
            None => Ok(self.profile.get("default")),
        }
    }
}

/// Decides which hub is used. A profile that a flag names counts as a flag.
///
/// # Errors
/// When there is no such profile, or nothing names a server.
pub(crate) fn decide(flags: &Wishes, environment: &Wishes, file: &ProfileFile) -> anyhow::Result<Hub> {
    let flagged = flags.profile.as_deref().map(|name| file.named(name)).transpose()?;
    let profile = match (&flagged, &environment.profile) {
        (Some(profile), _) => Some(*profile),
        (None, Some(name)) => Some(file.named(name)?),
        (None, None) => file.fallback()?,
    };
    let own = profile.cloned().unwrap_or_default();
    let by_flag = flagged.and_then(|profile| profile.server.clone());
    let Some(server) = flags.server.clone().or(by_flag).or(environment.server.clone()).or(own.server.clone()) else {
        bail!(
            "no hub is named: pass --server URL, set TOJI_SERVER, or write a profile into ~/.config/toji/config.toml"
        );
    };
    let server = server.trim_end_matches('/').to_owned();
    let is_own = own.server.as_deref().map(|own| own.trim_end_matches('/')) == Some(server.as_str());
    let pick = |flag: &Option<String>, variable: &Option<String>, own: Option<String>| {
        let own = own.filter(|_| is_own);
        let (second, third) = if flagged.is_some() { (own, variable.clone()) } else { (variable.clone(), own) };
        flag.clone().or(second).or(third)
    };
    let token = pick(&flags.token, &environment.token, own.token);
    let topurl = pick(&flags.topurl, &environment.topurl, own.topurl).unwrap_or_else(|| format!("{server}/kojifiles"));
    Ok(Hub { server, token, topurl: topurl.trim_end_matches('/').to_owned() })
}

fn users_file() -> Option<PathBuf> {
    let folder = |variable| env::var_os(variable).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")))?;
    Some(folder.join("toji/config.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> ProfileFile {
        let text = "
            default = 'work'
            [profile.work]
            server = 'https://work/'
            token = 'w'
            [profile.home]
            server = 'http://home'
            token = 'h'
            topurl = 'http://files/'
        ";
        toml::from_str(text).unwrap()
    }

    fn wishes(profile: &str, server: &str, token: &str) -> Wishes {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Wishes { profile: some(profile), server: some(server), token: some(token), topurl: None }
    }

    fn decided(flags: Wishes, environment: Wishes) -> (String, String, String) {
        let hub = decide(&flags, &environment, &file()).unwrap();
        (hub.server, hub.token.unwrap_or_default(), hub.topurl)
    }

    fn is(server: &str, token: &str, topurl: &str) -> (String, String, String) {
        (server.to_owned(), token.to_owned(), topurl.to_owned())
    }

    #[test]
    fn flags_win_over_environment_over_file() {
        let none = || wishes("", "", "");
        assert_eq!(decided(none(), none()), is("https://work", "w", "https://work/kojifiles"));
        assert_eq!(decided(none(), wishes("home", "", "")), is("http://home", "h", "http://files"));
        assert_eq!(decided(none(), wishes("", "", "e")), is("https://work", "e", "https://work/kojifiles"));
        assert_eq!(decided(wishes("", "", "f"), wishes("", "", "e")).1, "f");
        assert_eq!(decided(wishes("work", "", ""), wishes("home", "http://env", "e")).0, "https://work");
        assert_eq!(decided(wishes("work", "", ""), wishes("home", "http://env", "e")).1, "w");
        assert_eq!(
            decided(wishes("home", "https://flag", "f"), none()),
            is("https://flag", "f", "https://flag/kojifiles")
        );
    }

    #[test]
    fn a_profiles_token_stays_with_its_server() {
        let other = wishes("", "http://elsewhere", "");
        assert_eq!(decided(other.clone(), wishes("", "", "")).1, "");
        assert_eq!(decided(wishes("", "", ""), other).1, "");
        assert_eq!(decided(wishes("", "https://work", ""), wishes("", "", "")).1, "w", "the same server, named again");
    }

    #[test]
    fn says_what_is_missing() {
        let none = Wishes::default();
        let error = decide(&none, &none, &ProfileFile::default()).unwrap_err().to_string();
        assert!(error.contains("TOJI_SERVER"), "{error}");
        let error = decide(&wishes("away", "", ""), &none, &file()).unwrap_err().to_string();
        assert_eq!(error, "no profile is named 'away' (there are: home, work)");
        let error = ProfileFile::read(Some("/nowhere/x.toml".into())).unwrap_err();
        assert_eq!(format!("{error:#}"), "cannot read /nowhere/x.toml: No such file or directory (os error 2)");
        assert!(toml::from_str::<ProfileFile>("[profile.x]\nserfer = 'x'").is_err());
    }
}

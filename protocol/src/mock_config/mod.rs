//! mock's configuration of a buildroot, made from the build tag: the builder's and the command line's are the same text.

mod macros;
mod python;

use std::fmt::Write;

pub use macros::{Makers, environment, macros};
use python::{Python, python, python_bool, python_text};
use thiserror::Error;

use crate::value::{Map, Value};

/// A setting of the tag that has no sense, or is not allowed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct BadSetting(pub String);

/// What a configuration is made from.
#[derive(Clone, Debug)]
pub struct MockConfig<'a> {
    /// The buildroot's name.
    pub name: &'a str,
    /// Where mock makes buildroots.
    pub basedir: &'a str,
    /// The architecture.
    pub arch: &'a str,
    /// The comps group that fills it.
    pub group: &'a str,
    /// Where the repo is, for this architecture.
    pub baseurl: &'a str,
    /// Whether what runs in it sees the network.
    pub network: bool,
    /// Seconds that rpmbuild may run.
    pub timeout: u64,
    /// The tag's further settings.
    pub extra: &'a Map,
    /// RPM macros, with their percent sign.
    pub macros: &'a [(String, String)],
    /// The environment of builds.
    pub env: &'a [(String, String)],
    /// Options of systemd-nspawn for folders of the machine that are seen inside.
    pub binds: &'a [String],
    /// Tags may ask for a bootstrap image.
    pub allow_bootstrap_image: bool,
    /// Whether systemd is the machine's init.
    pub systemd: bool,
}

impl MockConfig<'_> {
    /// The file's text.
    ///
    /// # Errors
    /// When a setting of the tag has no sense or is not allowed here.
    pub fn render(&self) -> Result<String, BadSetting> {
        let mut out = Python::default();
        out.set("root", self.name);
        out.set("basedir", self.basedir);
        out.set("target_arch", self.arch);
        out.set("chroothome", "/builddir");
        out.set("chroot_setup_cmd", &format!("install @{}", self.group));
        out.set_raw("rpmbuild_networking", python_bool(self.network));
        out.set_raw("use_host_resolv", python_bool(self.network));
        out.set_raw("rpmbuild_timeout", &self.timeout.to_string());
        out.set_raw("dnf_warning", "False");
        self.isolate(&mut out);
        self.bootstrap(&mut out)?;
        for plugin in ["ccache_enable", "yum_cache_enable", "root_cache_enable"] {
            out.line(&format!("config_opts['plugin_conf'][{}] = False", python_text(plugin)));
        }
        // Where mock has it: what was installed, with checksums and URLs, so that it can be made again.
        out.line("config_opts['plugin_conf'][\"buildroot_lock_enable\"] = True");
        self.tag_options(&mut out)?;
        self.signing(&mut out);
        let conf = python_text(&self.repo_conf()?);
        let is_yum = self.extra("mock.package_manager").and_then(Value::as_str) == Some("yum");
        out.set_raw(if is_yum { "yum.conf" } else { "dnf.conf" }, &conf);
        for (name, value) in self.macros {
            out.line(&format!("config_opts['macros'][{}] = {}", python_text(name), python_text(value)));
        }
        for (name, value) in self.env {
            out.line(&format!("config_opts['environment'][{}] = {}", python_text(name), python_text(value)));
        }
        Ok(out.0)
    }

    /// Never mock's "simple" isolation: it cuts no network and shows the host's processes, and so the machine's credentials.
    fn isolate(&self, out: &mut Python) {
        out.set("isolation", "nspawn");
        let mut args = vec!["--capability=cap_ipc_lock".to_owned()];
        if !self.systemd {
            args.extend(["--register=no", "--keep-unit"].map(str::to_owned));
        }
        args.extend_from_slice(self.binds);
        if args.len() > 1 {
            let args: Vec<String> = args.iter().map(|arg| python_text(arg)).collect();
            out.set_raw("nspawn_args", &format!("[{}]", args.join(", ")));
        }
    }

    fn bootstrap(&self, out: &mut Python) -> Result<(), BadSetting> {
        if let Some(value) = self.extra("mock.use_bootstrap") {
            out.set_raw("use_bootstrap", python_bool(value.is_truthy()));
        }
        let image = self.extra("mock.bootstrap_image").filter(|value| value.is_truthy());
        let image = image.filter(|_| self.allow_bootstrap_image);
        out.set_raw("use_bootstrap_image", python_bool(image.is_some()));
        if let Some(image) = image {
            out.set_raw("bootstrap_image", &self.text("mock.bootstrap_image", image)?);
            if let Some(ready) = self.extra("mock.bootstrap_image_ready") {
                out.set_raw("bootstrap_image_ready", python_bool(ready.is_truthy()));
            }
        }
        Ok(())
    }

    fn tag_options(&self, out: &mut Python) -> Result<(), BadSetting> {
        for (key, option) in [
            ("mock.package_manager", "package_manager"),
            ("mock.releasever", "releasever"),
            ("mock.forcearch", "forcearch"),
        ] {
            if let Some(value) = self.extra(key) {
                out.set_raw(option, &self.text(key, value)?);
            }
        }
        if let Some(commands) = self.extra("mock.module_setup_commands") {
            out.set_raw("module_setup_commands", &python(commands));
        }
        Ok(())
    }

    fn signing(&self, out: &mut Python) {
        let Some(enable) = self.extra("mock.plugin_conf.sign_enable") else { return };
        out.line(&format!("config_opts['plugin_conf']['sign_enable'] = {}", python_bool(enable.is_truthy())));
        for (key, option) in [("mock.plugin_conf.sign_opts.cmd", "cmd"), ("mock.plugin_conf.sign_opts.opts", "opts")] {
            if let Some(value) = self.extra(key) {
                out.line(&format!("config_opts['plugin_conf']['sign_opts']['{option}'] = {}", python(value)));
            }
        }
    }

    /// dnf's configuration: one repo, and nothing of the machine's.
    fn repo_conf(&self) -> Result<String, BadSetting> {
        let mut conf = String::from(
            "[main]\ncachedir=/var/cache/yum\nkeepcache=1\ndebuglevel=1\nlogfile=/var/log/yum.log\nreposdir=/dev/null\n\
             retries=20\nobsoletes=1\ngpgcheck=0\nassumeyes=1\ninstall_weak_deps=0\nstrict=1\n",
        );
        let mut option = |name: &str, key: &str| -> Result<(), BadSetting> {
            match self.extra(key) {
                None => Ok(()),
                Some(Value::Int(number)) => {
                    let _ = writeln!(conf, "{name}={number}");
                    Ok(())
                }
                Some(Value::Bool(yes)) => {
                    let _ = writeln!(conf, "{name}={}", i32::from(*yes));
                    Ok(())
                }
                Some(other) => Err(BadSetting(format!("the tag's {key} is {}: it can be 0 or 1", other.kind()))),
            }
        };
        option("best", "mock.yum.best")?;
        let _ = write!(conf, "\n[build]\nname=build\nbaseurl={}\n", self.baseurl);
        let mut conf_build = String::new();
        if let Some(value) = self.extra("mock.yum.module_hotfixes") {
            let _ = writeln!(conf_build, "module_hotfixes={}", i32::from(value.is_truthy()));
        }
        Ok(conf + &conf_build)
    }

    fn extra(&self, key: &str) -> Option<&Value> {
        self.extra.get(key).filter(|value| !value.is_nil())
    }

    fn text(&self, key: &str, value: &Value) -> Result<String, BadSetting> {
        match value {
            Value::String(text) => Ok(python_text(text)),
            Value::Int(number) => Ok(python_text(&number.to_string())),
            other => Err(BadSetting(format!("the tag's {key} is {}: it can be a string", other.kind()))),
        }
    }
}

/// What mock is told on its command line.
///
/// # Errors
/// When the tag asks for mock's older kind of chroot, which isolates nothing.
pub fn extra_arguments(extra: &Map) -> Result<&'static [&'static str], BadSetting> {
    match extra.get("mock.new_chroot") {
        None | Some(Value::Nil) => Ok(&[]),
        Some(value) if value.is_truthy() => Ok(&["--new-chroot"]),
        Some(_) => Err(BadSetting(
            "the tag's mock.new_chroot is off, but builds here are isolated by nspawn; remove the setting".to_owned(),
        )),
    }
}

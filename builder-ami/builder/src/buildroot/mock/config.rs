//! mock's configuration of a buildroot: a Python file, made from the plan alone.

use std::{fmt::Write, path::Path};

use toji_protocol::value::Value;

use super::Plan;
use crate::failure::TaskError;

/// What a configuration is made from.
pub(super) struct MockConfig<'a> {
    pub(super) plan: &'a Plan,
    pub(super) basedir: &'a Path,
    pub(super) allow_bootstrap_image: bool,
    /// Whether systemd is this machine's init.
    pub(super) systemd: bool,
}

impl MockConfig<'_> {
    /// The file's text.
    ///
    /// # Errors
    /// When a setting of the tag has no sense or is not allowed here.
    pub(super) fn render(&self) -> Result<String, TaskError> {
        let plan = self.plan;
        let mut out = Python::default();
        out.set("root", &plan.name);
        out.set("basedir", &self.basedir.to_string_lossy());
        out.set("target_arch", &plan.arch);
        out.set("chroothome", "/builddir");
        out.set("chroot_setup_cmd", &format!("install @{}", plan.group.name()));
        out.set_raw("rpmbuild_networking", python_bool(plan.network));
        out.set_raw("use_host_resolv", python_bool(plan.network));
        out.set_raw("rpmbuild_timeout", &plan.timeout.to_string());
        out.set_raw("dnf_warning", "False");
        self.isolate(&mut out);
        self.bootstrap(&mut out)?;
        for plugin in ["ccache_enable", "yum_cache_enable", "root_cache_enable"] {
            out.line(&format!("config_opts['plugin_conf'][{}] = False", python_text(plugin)));
        }
        self.tag_options(&mut out)?;
        self.signing(&mut out);
        let conf = python_text(&self.repo_conf()?);
        let is_yum = self.extra("mock.package_manager").and_then(Value::as_str) == Some("yum");
        out.set_raw(if is_yum { "yum.conf" } else { "dnf.conf" }, &conf);
        for (name, value) in &plan.macros {
            out.line(&format!("config_opts['macros'][{}] = {}", python_text(name), python_text(value)));
        }
        for (name, value) in &plan.env {
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
        args.extend(self.plan.binds.iter().map(|bind| {
            let option = if bind.is_writable { "--bind" } else { "--bind-ro" };
            format!("{option}={}:{}", bind.source.display(), bind.path.display())
        }));
        if args.len() > 1 {
            let args: Vec<String> = args.iter().map(|arg| python_text(arg)).collect();
            out.set_raw("nspawn_args", &format!("[{}]", args.join(", ")));
        }
    }

    fn bootstrap(&self, out: &mut Python) -> Result<(), TaskError> {
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

    fn tag_options(&self, out: &mut Python) -> Result<(), TaskError> {
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
    fn repo_conf(&self) -> Result<String, TaskError> {
        let mut conf = String::from(
            "[main]\ncachedir=/var/cache/yum\nkeepcache=1\ndebuglevel=1\nlogfile=/var/log/yum.log\nreposdir=/dev/null\n\
             retries=20\nobsoletes=1\ngpgcheck=0\nassumeyes=1\ninstall_weak_deps=0\nstrict=1\n",
        );
        let mut option = |name: &str, key: &str| -> Result<(), TaskError> {
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
                Some(other) => {
                    Err(TaskError::Invalid(format!("the tag's {key} is {}: it can be 0 or 1", other.kind())))
                }
            }
        };
        option("best", "mock.yum.best")?;
        let _ = write!(conf, "\n[build]\nname=build\nbaseurl={}\n", self.plan.baseurl);
        let mut conf_build = String::new();
        if let Some(value) = self.extra("mock.yum.module_hotfixes") {
            let _ = writeln!(conf_build, "module_hotfixes={}", i32::from(value.is_truthy()));
        }
        Ok(conf + &conf_build)
    }

    fn extra(&self, key: &str) -> Option<&Value> {
        self.plan.extra.get(key).filter(|value| !value.is_nil())
    }

    fn text(&self, key: &str, value: &Value) -> Result<String, TaskError> {
        match value {
            Value::String(text) => Ok(python_text(text)),
            Value::Int(number) => Ok(python_text(&number.to_string())),
            other => Err(TaskError::Invalid(format!("the tag's {key} is {}: it can be a string", other.kind()))),
        }
    }
}

/// What mock is told on its command line.
///
/// # Errors
/// When the tag asks for mock's older kind of chroot, which isolates nothing.
pub(super) fn extra_arguments(plan: &Plan) -> Result<&'static [&'static str], TaskError> {
    match plan.extra.get("mock.new_chroot") {
        None | Some(Value::Nil) => Ok(&[]),
        Some(value) if value.is_truthy() => Ok(&["--new-chroot"]),
        Some(_) => Err(TaskError::Invalid(
            "the tag's mock.new_chroot is off, but builds here are isolated by nspawn; remove the setting".to_owned(),
        )),
    }
}

#[derive(Default)]
struct Python(String);

impl Python {
    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn set(&mut self, key: &str, text: &str) {
        self.set_raw(key, &python_text(text));
    }

    fn set_raw(&mut self, key: &str, value: &str) {
        self.line(&format!("config_opts[{}] = {value}", python_text(key)));
    }
}

fn python_bool(yes: bool) -> &'static str {
    if yes { "True" } else { "False" }
}

/// A string literal. JSON's are Python's, too, as non-ASCII characters are written as they are.
fn python_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A literal for any value.
fn python(value: &Value) -> String {
    match value {
        Value::Nil => "None".to_owned(),
        Value::Bool(yes) => python_bool(*yes).to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Double(number) => format!("{number:?}"),
        Value::String(text) | Value::DateTime(text) => python_text(text),
        Value::Bytes(bytes) => python_text(&String::from_utf8_lossy(bytes)),
        Value::Array(items) => format!("[{}]", items.iter().map(python).collect::<Vec<_>>().join(", ")),
        Value::Struct(map) => {
            let members = map.iter().map(|(key, value)| format!("{}: {}", python_text(key), python(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
    }
}

//! Calls and their answers, written down: `vectors/<domain>.txt` has the calls, `vectors/<domain>.answers` beside it the answers. Each method has
//! a good call, one for a missing thing, and one at an old event where it takes one; what is alike for all methods (wrong types,
//! permissions) is in `api`.
//!
//! A line of a file is one of
//!
//! ```text
//! METHOD {"argument": …} [as USER]     a call; its answer is written down
//! do METHOD {"argument": …} [as USER]  a call that must succeed; its answer is not
//! have NVR                             a complete build with a source and an x86_64 RPM
//! event NAME                           from here on, "$NAME" in arguments is the id of the newest event
//! ```
//!
//! After a change that is meant: `TOJI_WRITE_VECTORS=1 cargo nextest run -p toji-hub vectors`, and read the difference.

use std::{collections::HashMap, fmt::Write, path::Path};

use serde_json::Value;
use sqlx::PgPool;

use crate::{koji, world::World};

/// Who calls, by name.
type Users = HashMap<String, World>;

struct Vectors {
    users: Users,
    events: HashMap<String, i64>,
    said: String,
    /// Answers, for a look at their members.
    answers: Vec<(String, Value)>,
}

impl Vectors {
    async fn run(world: World, file: &str) -> Self {
        let users = Users::from([
            ("nobody".to_owned(), world.nobody()),
            ("bob".to_owned(), world.user("bob", &[]).await),
            ("admin".to_owned(), world),
        ]);
        let mut vectors = Self { users, events: HashMap::new(), said: String::new(), answers: Vec::new() };
        for line in file.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            vectors.line(line).await;
        }
        vectors
    }

    fn admin(&self) -> &World {
        &self.users["admin"]
    }

    async fn line(&mut self, line: &str) {
        match line.split_once(' ') {
            Some(("have", nvr)) => {
                self.admin().build(nvr).await;
            }
            Some(("event", name)) => {
                let event = self.admin().last_event().await;
                self.events.insert(format!("${name}"), event);
            }
            Some(("do", call)) => {
                let (method, arguments, user) = self.parse(call);
                self.users[&user].ok(&method, arguments).await;
            }
            _ => self.call(line).await,
        }
    }

    fn parse(&self, call: &str) -> (String, Value, String) {
        let (call, user) = call.rsplit_once(" as ").unwrap_or((call, "admin"));
        let (method, arguments) = call.split_once(' ').unwrap_or((call, "{}"));
        let mut arguments = serde_json::from_str(arguments).unwrap_or_else(|error| panic!("{call}: {error}"));
        self.put_events(&mut arguments);
        (method.to_owned(), arguments, user.to_owned())
    }

    fn put_events(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some(event) = self.events.get(text.as_str()) {
                    *value = Value::from(*event);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.put_events(item)),
            Value::Object(members) => members.values_mut().for_each(|member| self.put_events(member)),
            _ => {}
        }
    }

    async fn call(&mut self, line: &str) {
        let (method, arguments, user) = self.parse(line);
        let answer = self.users[&user].call(&method, arguments).await;
        writeln!(self.said, "{line}").unwrap();
        match answer {
            Ok(answer) => {
                writeln!(self.said, "    {}", steady(&answer)).unwrap();
                self.answers.push((method, answer));
            }
            Err(error) => {
                assert!(error.fault_code() > 1, "{line}: {error:?}");
                writeln!(self.said, "    ! {} {error}", error.fault_code()).unwrap();
            }
        }
    }

    /// Every member that Koji's answers have, ours have: in one answer of each method at least, as arguments may leave members out.
    fn check_members(&self) {
        let mut missing: HashMap<&str, Vec<&str>> = HashMap::new();
        let shapes = koji::shapes();
        for (method, answer) in &self.answers {
            let Some(members) = shapes.get(method.as_str()) else { continue };
            let answers = match answer {
                Value::Array(items) => items.iter().collect(),
                answer => vec![answer],
            };
            for answer in answers.into_iter().filter_map(Value::as_object) {
                let absent: Vec<&str> = members.iter().filter(|name| !answer.contains_key(**name)).copied().collect();
                let fewest = missing.entry(method).or_insert_with(|| absent.clone());
                if absent.len() < fewest.len() {
                    *fewest = absent;
                }
            }
        }
        missing.retain(|_, absent| !absent.is_empty());
        assert!(missing.is_empty(), "members that Koji has: {missing:?}");
    }
}

/// An answer with what the database's clock says left out: times of events.
fn steady(answer: &Value) -> String {
    let mut answer = answer.clone();
    hide_times(&mut answer);
    answer.to_string()
}

fn hide_times(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(hide_times),
        Value::Object(members) => {
            for (name, member) in members {
                let is_time = name == "ts" || name.ends_with("_ts") || name.ends_with("_time");
                if is_time && !member.is_null() {
                    *member = Value::from(if member.is_string() { "TIME" } else { "TS" });
                } else {
                    hide_times(member);
                }
            }
        }
        _ => {}
    }
}

/// Compares what was said with what is written down, line by line.
fn compare(domain: &str, said: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/content/vectors/{domain}.answers"));
    if std::env::var_os("TOJI_WRITE_VECTORS").is_some() {
        return std::fs::write(file, said).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    for (number, (said, written)) in said.lines().zip(written.lines()).enumerate() {
        assert_eq!(said, written, "{domain}.answers, line {}", number + 1);
    }
    assert_eq!(said.lines().count(), written.lines().count(), "{domain}.answers is shorter or longer");
}

macro_rules! vectors {
    ($($domain:ident),* $(,)?) => {$(
        #[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
        async fn $domain(pool: PgPool) {
            let file = include_str!(concat!("vectors/", stringify!($domain), ".txt"));
            let vectors = Vectors::run(World::new(pool).await, file).await;
            compare(stringify!($domain), &vectors.said);
            vectors.check_members();
        }
    )*};
}

vectors! {
    tags, packages, moves, targets, groups, external_repos, hosts, users, groups_of_users, notifications, policies, builds,
    build_edits, rpms, tasks, repos, repo_admin, search, system,
}

/// Methods that have tests of their own, where there are sessions or files.
const ELSEWHERE: [&str; 14] = [
    "_listapi",
    "downloadTaskOutput",
    "error",
    "exclusiveSession",
    "fault",
    "login",
    "logout",
    "logoutChild",
    "sharedSession",
    "sslLogin",
    "subsession",
    "system.listMethods",
    "uploadFile",
    "checkUpload",
];

#[test]
fn every_method_of_kojis_is_called() {
    let files = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/content/vectors")).unwrap();
    let calls = files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "txt"));
    let text: String = calls.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let called: std::collections::HashSet<&str> =
        text.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let missing: Vec<_> =
        koji::methods().into_keys().filter(|name| !called.contains(name) && !ELSEWHERE.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?} are called in no file");
}

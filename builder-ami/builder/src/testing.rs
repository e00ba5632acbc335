//! For tests: a hub that answers what handlers ask and notes what they tell, over HTTP, with S3 and the top URL beside it.

use std::{
    collections::{HashMap, VecDeque},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path as Route, Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{post, put},
};
use serde_json::{Value as Json_, json};
use toji_protocol::{
    client::Client,
    log_part,
    method::{
        upload::{UploadPlan, part_size},
        worker::{ClaimedTask, Lease},
    },
    value::Value,
};
use tokio::sync::Notify;

use crate::{
    config::Config,
    context::{Facts, Machine, TaskContext},
    handlers::Handlers,
    hub::TaskHub,
    subtask::Waits,
};

/// A task that the hub gives to somebody else at the first heartbeat.
pub(crate) const LOST: i64 = 666;

/// A hub, and a builder of it.
pub(crate) struct Lab {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) hub: FakeHub,
    pub(crate) machine: Arc<Machine>,
}

#[derive(Clone)]
pub(crate) struct FakeHub {
    state: Arc<HubState>,
}

struct HubState {
    address: String,
    /// Served as `/kojifiles/work`; uploads land here.
    work: PathBuf,
    /// Served as any repo.
    distro: PathBuf,
    calls: Mutex<Vec<(String, Json_)>>,
    logs: Mutex<HashMap<String, Vec<u8>>>,
    extra: Mutex<Json_>,
    /// Tasks that wait to be claimed.
    free: Mutex<VecDeque<Json_>>,
    /// Queues by path, each with its messages; a message is its own receipt.
    queues: Mutex<HashMap<String, VecDeque<String>>>,
    changed: Notify,
    /// Methods that are refused: the fault's code and what it says.
    refused: Mutex<HashMap<String, (i32, String)>>,
    /// What any task answered.
    result: Mutex<Result<Json_, String>>,
    /// Tokens that count.
    token: Mutex<String>,
    /// For how long repos are away from the first question on, and until when that is.
    away: Mutex<(Duration, Option<Instant>)>,
}

/// Chooses how TLS is spoken, which every client wants to know first.
pub(crate) fn tls() {
    drop(Client::new("http://localhost", None));
}

/// The mini distribution: made by `localstack/bin/minidistro`, or named by the environment. None: there is none here.
pub(crate) fn minidistro() -> Option<PathBuf> {
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.local/minidistro");
    let named = std::env::var_os("TOJI_TEST_MINIDISTRO").map(PathBuf::from);
    let dir = [named, Some(made)].into_iter().flatten().find(|dir| dir.join("x86_64/repodata").is_dir());
    if dir.is_none() {
        eprintln!("skipped: there is no mini distribution; run localstack/bin/minidistro");
    }
    dir
}

/// What a test has left mounted would outlive its folder.
impl Drop for Lab {
    fn drop(&mut self) {
        crate::mounts::unmount_below(self.dir.path());
    }
}

impl Lab {
    /// None where buildroots cannot be made.
    pub(crate) async fn new() -> Option<Self> {
        let distro = minidistro()?;
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: buildroots want root");
            return None;
        }
        Some(Self::with(distro, "").await)
    }

    pub(crate) async fn with(distro: PathBuf, settings: &str) -> Self {
        Self::of("bwrap", distro, settings).await
    }

    /// With buildroots of a kind.
    pub(crate) async fn of(kind: &str, distro: PathBuf, settings: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let hub = FakeHub::start(dir.path().join("hub"), distro).await;
        let (server, state) = (&hub.state.address, dir.path().join("state"));
        let text = format!(
            "server='{server}'\nname='b'\nstate_dir='{}'\narches=['x86_64']\nbuildroot='{kind}'\n{settings}",
            state.display()
        );
        let config: Config = toml::from_str(&text).unwrap();
        let machine = Arc::new(Machine::new(config, Handlers::own()));
        machine.set_facts(Facts { arches: vec!["x86_64".to_owned()], topurl: format!("{server}/kojifiles/") });
        Self { dir, hub, machine }
    }

    /// An attempt at a task.
    pub(crate) fn task(&self, id: i64, method: &str, arch: &str, request: Vec<Value>) -> TaskContext {
        let task = ClaimedTask {
            id: id.into(),
            attempt: 1,
            method: method.to_owned(),
            request,
            arch: arch.to_owned(),
            weight: 1.0,
            owner: 1.into(),
            parent: None,
        };
        let lease = Lease { task_id: task.id, attempt: 1 };
        let client = Client::new(&self.hub.state.address, Some("t")).unwrap();
        let waits = Arc::new(Waits::new(tokio::sync::watch::Sender::new(())));
        TaskContext::new(task, TaskHub::new(client, lease), Arc::clone(&self.machine), waits)
    }

    /// Makes a source RPM of a spec and puts it below `work/`. Answers its path there.
    pub(crate) fn srpm(&self, spec: &str) -> String {
        let home = self.dir.path().join("srpm");
        fs::create_dir_all(&home).unwrap();
        fs::write(home.join("x.spec"), spec).unwrap();
        let made = std::process::Command::new("rpmbuild")
            .args(["-bs", "--nodeps", "--define", &format!("_topdir {}", home.display())])
            .arg(home.join("x.spec"))
            .env("HOME", &home)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let said = String::from_utf8(made.stdout).unwrap();
        let path = said.lines().find_map(|line| line.strip_prefix("Wrote: ")).unwrap();
        let name = Path::new(path).file_name().unwrap().to_str().unwrap().to_owned();
        let target = self.hub.work("cli-build/1.x");
        fs::create_dir_all(&target).unwrap();
        fs::rename(path, target.join(&name)).unwrap();
        format!("cli-build/1.x/{name}")
    }
}

impl FakeHub {
    async fn start(dir: PathBuf, distro: PathBuf) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let state = Arc::new(HubState {
            address: format!("http://{}", listener.local_addr().unwrap()),
            work: dir,
            distro,
            calls: Mutex::default(),
            logs: Mutex::default(),
            extra: Mutex::new(json!({})),
            free: Mutex::default(),
            queues: Mutex::default(),
            changed: Notify::new(),
            refused: Mutex::default(),
            result: Mutex::new(Ok(json!(null))),
            token: Mutex::new("first".to_owned()),
            away: Mutex::default(),
        });
        fs::create_dir_all(&state.work).unwrap();
        let routes = Router::new()
            .route("/", post(sqs))
            .route("/api/{method}", post(call))
            .route("/log/{task}/{part}", put(log))
            .route("/file/{task}/{name}/{offset}", put(file))
            .fallback(files)
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { state }
    }

    /// Waits until a method was told so often. Answers what was told.
    pub(crate) async fn until_told(&self, method: &str, times: usize) -> Vec<Json_> {
        loop {
            let changed = self.state.changed.notified();
            let told = self.told(method);
            if told.len() >= times {
                return told;
            }
            changed.await;
        }
    }

    /// Adds a task that can be claimed.
    pub(crate) fn add_task(&self, id: i64, method: &str, request: Json_) {
        self.state.free.lock().unwrap().push_back(json!({
            "id": id, "attempt": 1, "method": method, "request": request, "arch": "noarch", "weight": 1.0, "owner": 1,
            "parent": null,
        }));
    }

    /// Sends a message.
    pub(crate) fn send(&self, queue: &str, body: Json_) {
        let mut queues = self.state.queues.lock().unwrap();
        queues.entry(format!("/{queue}")).or_default().push_back(body.to_string());
        self.state.changed.notify_waiters();
    }

    /// Lets no token count but the one that the next enrolment gives.
    pub(crate) fn forget_tokens(&self) {
        *self.state.token.lock().unwrap() = "second".to_owned();
    }

    /// Refuses a method from now on.
    pub(crate) fn refuse(&self, method: &str, code: i32, said: &str) {
        self.state.refused.lock().unwrap().insert(method.to_owned(), (code, said.to_owned()));
    }

    /// Sets what any task answered.
    pub(crate) fn set_result(&self, result: Result<Json_, String>) {
        *self.state.result.lock().unwrap() = result;
    }

    /// Has repos be away for this long, once somebody asks for one.
    pub(crate) fn close_repos(&self, lasts: Duration) {
        *self.state.away.lock().unwrap() = (lasts, None);
    }

    /// A path below `work/`.
    pub(crate) fn work(&self, path: &str) -> PathBuf {
        self.state.work.join(path)
    }

    /// What was told with a method.
    pub(crate) fn told(&self, method: &str) -> Vec<Json_> {
        let calls = self.state.calls.lock().unwrap();
        calls.iter().filter(|(name, _)| name == method).map(|(_, told)| told.clone()).collect()
    }

    /// A log as its parts tell it.
    pub(crate) fn live_log(&self, name: &str) -> String {
        let logs = self.state.logs.lock().unwrap();
        String::from_utf8_lossy(logs.get(name).map_or(&[][..], Vec::as_slice)).into_owned()
    }

    /// Sets the build tag's further settings.
    pub(crate) fn set_extra(&self, extra: Json_) {
        *self.state.extra.lock().unwrap() = extra;
    }
}

impl HubState {
    /// Packed logs become what their readers see.
    fn unpack(&self, task: i64, files: &[Json_]) {
        let calls = self.calls.lock().unwrap();
        let begun = calls.iter().filter(|(name, told)| name == "host.startUpload" && told["task_id"] == task);
        let begun: Vec<&Json_> = begun.flat_map(|(_, told)| told["files"].as_array().unwrap()).collect();
        for file in files {
            let told = begun.iter().rev().find(|begun| begun["name"] == file["name"]).unwrap();
            let Some(size) = told["unpacked"].as_u64() else { continue };
            let path = self.work.join(format!("tasks/{task}/{task}/{}", file["name"].as_str().unwrap()));
            let mut text = Vec::new();
            let mut packed = flate2::read::GzDecoder::new(fs::File::open(&path).unwrap());
            std::io::Read::read_to_end(&mut packed, &mut text).unwrap();
            assert_eq!(text.len() as u64, size);
            fs::write(path, text).unwrap();
        }
    }

    fn repos_are_away(&self) -> bool {
        let mut away = self.away.lock().unwrap();
        let lasts = away.0;
        Instant::now() < *away.1.get_or_insert_with(|| Instant::now() + lasts)
    }

    /// How often a method was told.
    fn told(&self, method: &str) -> usize {
        self.calls.lock().unwrap().iter().filter(|(name, _)| name == method).count()
    }
}

async fn call(
    State(hub): State<Arc<HubState>>,
    Route(method): Route<String>,
    headers: HeaderMap,
    Json(told): Json<Json_>,
) -> Response {
    if method == "host.attach" && headers["authorization"] != format!("Bearer {}", hub.token.lock().unwrap()) {
        return (StatusCode::UNAUTHORIZED, Json(json!({"detail": "who?", "faultCode": 1002}))).into_response();
    }
    hub.calls.lock().unwrap().push((method.clone(), told.clone()));
    hub.changed.notify_waiters();
    if let Some((code, said)) = hub.refused.lock().unwrap().get(&method) {
        return (StatusCode::BAD_REQUEST, Json(json!({"detail": said, "faultCode": code}))).into_response();
    }
    let task = told["task_id"].as_i64().unwrap_or_default();
    let answer = match method.as_str() {
        "enrolHost" => json!({"host_id": 3, "user_id": 4, "token": *hub.token.lock().unwrap()}),
        "host.attach" => json!({
            "host_id": 3, "name": "b", "arches": ["x86_64"], "capacity": 2.0,
            "topurl": format!("{}/kojifiles", hub.address), "lease_seconds": 1,
            "queues": {
                "endpoint": hub.address, "region": "eu-west-1", "own": format!("{}/own", hub.address),
                "bins": [{"bin": "1-noarch", "url": format!("{}/bin", hub.address)}],
                "access_key_id": "a", "secret_access_key": "s", "session_token": null, "expires_ts": null,
            },
        }),
        "host.claim" => {
            let mut free = hub.free.lock().unwrap();
            let task = free.pop_front();
            json!({"task": task, "left": if free.is_empty() { "nothing" } else { "more" }})
        }
        "host.heartbeat" => {
            let orders = told["leases"]
                .as_array()
                .unwrap()
                .iter()
                .map(|lease| if lease["task_id"].as_i64().unwrap() == LOST { "lost" } else { "continue" });
            json!({"orders": orders.collect::<Vec<_>>(), "drain": false})
        }
        "repoInfo" => json!({
            "begin_event": 1, "begin_ts": 1.0, "create_event": 3, "create_ts": 1.0,
            "creation_time": "2026-11-21 00:00:00+00:00", "creation_ts": 1.0, "custom_opts": {}, "dist": false,
            "end_event": null, "end_ts": null, "id": told["repo_id"], "opts": {}, "state": 1,
            "state_time": "2026-11-21 00:00:00+00:00", "state_ts": 1.0, "tag_id": 2, "tag_name": "demo-build",
            "task_id": null, "task_state": null,
        }),
        "getBuildConfig" => json!({
            "id": 2, "name": "demo-build", "arches": "x86_64", "locked": false, "maven_support": false,
            "maven_include_all": false, "perm": null, "perm_id": null, "extra": *hub.extra.lock().unwrap(),
            "config_inheritance": {"extra": {}, "arches": null},
        }),
        "getTag" => json!({
            "id": 2, "name": "demo-build", "arches": "x86_64", "locked": false, "maven_support": false,
            "maven_include_all": false, "perm": null, "perm_id": null, "extra": {},
        }),
        // No repo will do, so that it is waited for; the task that waits answers one.
        "repo.get" => json!(null),
        "host.startSubtask" => json!(1000 + hub.told("host.startSubtask")),
        "host.awaitSubtasks" => {
            // The first time nothing has ended, and the task is woken.
            let subtasks = told["subtasks"].clone();
            if hub.told("host.awaitSubtasks") == 1 {
                hub.queues
                    .lock()
                    .unwrap()
                    .entry("/own".to_owned())
                    .or_default()
                    .push_back(json!({"order": "wake", "task_id": task, "attempt": told["attempt"]}).to_string());
                hub.changed.notify_waiters();
                json!({"finished": [], "unfinished": subtasks})
            } else {
                json!({"finished": subtasks, "unfinished": []})
            }
        }
        "getTaskResult" => match hub.result.lock().unwrap().clone() {
            Ok(result) => result,
            Err(said) => {
                return (StatusCode::BAD_REQUEST, Json(json!({"detail": said, "faultCode": 1005}))).into_response();
            }
        },
        "host.evalPolicy" => hub.result.lock().unwrap().clone().unwrap_or_default(),
        "getExternalRepoList" => json!([]),
        "host.newBuildRoot" => json!(5),
        "getAverageBuildDuration" => json!(9600.0),
        "host.logUrls" => {
            let first = told["first"].as_u64().unwrap();
            let count = told["count"].as_u64().unwrap();
            json!((first..first + count).map(|n| format!("{}/log/{task}/{n}", hub.address)).collect::<Vec<_>>())
        }
        "host.startUpload" => {
            let plans: Vec<UploadPlan> = told["files"]
                .as_array()
                .unwrap()
                .iter()
                .map(|file| plan(&hub.address, task, file["name"].as_str().unwrap(), file["size"].as_i64().unwrap()))
                .collect();
            json!(plans)
        }
        "host.finishUpload" => {
            hub.unpack(task, told["files"].as_array().unwrap());
            json!(null)
        }
        "host.setBuildRootList"
        | "host.setBuildRootState"
        | "host.updateBuildRootList"
        | "host.detach"
        | "host.setTaskWeight"
        | "host.closeTask"
        | "host.failTask"
        | "host.handBack" => json!(null),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    Json(answer).into_response()
}

/// The three calls of SQS that a listener makes.
async fn sqs(State(hub): State<Arc<HubState>>, headers: HeaderMap, body: Bytes) -> Response {
    let told: Json_ = serde_json::from_slice(&body).unwrap();
    let queue = told["QueueUrl"].as_str().unwrap().strip_prefix(&hub.address).unwrap().to_owned();
    let action = headers["x-amz-target"].to_str().unwrap().split_once('.').unwrap().1.to_owned();
    let answer = match action.as_str() {
        "ReceiveMessage" => loop {
            let changed = hub.changed.notified();
            let message = hub.queues.lock().unwrap().entry(queue.clone()).or_default().pop_front();
            if let Some(body) = message {
                break json!({"Messages": [{"MessageId": "m", "ReceiptHandle": body, "Body": body}]});
            }
            changed.await;
        },
        _ => {
            hub.calls.lock().unwrap().push((action.clone(), told.clone()));
            if action == "ChangeMessageVisibility" && told["VisibilityTimeout"] == 0 {
                let body = told["ReceiptHandle"].as_str().unwrap().to_owned();
                hub.queues.lock().unwrap().entry(queue).or_default().push_back(body);
            }
            hub.changed.notify_waiters();
            json!({})
        }
    };
    ([("content-type", "application/x-amz-json-1.0")], answer.to_string()).into_response()
}

fn plan(address: &str, task: i64, name: &str, size: i64) -> UploadPlan {
    let part_size = part_size(size);
    let parts = (size + part_size - 1) / part_size;
    let urls = (0..parts.max(1)).map(|part| format!("{address}/file/{task}/{name}/{}", part * part_size)).collect();
    UploadPlan { upload_id: format!("upload of {name}"), part_size, urls }
}

async fn log(State(hub): State<Arc<HubState>>, body: Bytes) {
    let mut logs = hub.logs.lock().unwrap();
    for (head, bytes) in log_part::decode(&body).unwrap().pieces {
        let log = logs.entry(head.name).or_default();
        log.truncate(head.offset as usize);
        assert_eq!(log.len() as u64, head.offset, "a hole in the log");
        log.extend_from_slice(bytes);
    }
}

async fn file(
    State(hub): State<Arc<HubState>>,
    Route((task, name, offset)): Route<(i64, String, u64)>,
    body: Bytes,
) -> Response {
    use std::os::unix::fs::FileExt;
    let dir = hub.work.join(format!("tasks/{task}/{task}"));
    fs::create_dir_all(&dir).unwrap();
    let file = fs::File::options().create(true).truncate(false).write(true).open(dir.join(name)).unwrap();
    file.write_all_at(&body, offset).unwrap();
    ([("etag", "\"e\"")], "").into_response()
}

/// `/kojifiles/work/…` and any repo.
async fn files(State(hub): State<Arc<HubState>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let file = match path.strip_prefix("/kojifiles/work/") {
        Some(rest) => hub.work.join(rest),
        None if hub.repos_are_away() => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        None => match path.split_once("/x86_64/") {
            Some((_, rest)) => hub.distro.join("x86_64").join(decoded(rest)),
            None => return StatusCode::NOT_FOUND.into_response(),
        },
    };
    match fs::read(file) {
        Ok(content) => content.into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

fn decoded(path: &str) -> String {
    let mut pieces = path.split('%');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        out.push(char::from(u8::from_str_radix(&piece[..2], 16).unwrap()));
        out.push_str(&piece[2..]);
    }
    out
}

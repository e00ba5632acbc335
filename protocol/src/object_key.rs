//! Every S3 key, spelled in one place. The layout is Koji's, under one bucket's root.

use crate::{
    id::{RepoId, TaskId},
    nvr::{Nvr, Nvra},
};

/// Koji spreads task folders over so many parents.
const TASK_FAN: i64 = 10_000;

/// Where a task's files appear to clients, whichever attempt made them: `tasks/<id mod 10000>/<id>`, relative to `work/`.
pub fn task_dir(task: TaskId) -> String {
    format!("tasks/{}/{}", task.0 % TASK_FAN, task.0)
}

/// One attempt's folder. A stale builder's attempt differs, so it cannot overwrite a newer one's files.
pub fn attempt_dir(task: TaskId, attempt: i32) -> String {
    format!("work/{}/{attempt}", task_dir(task))
}

/// A file that one attempt uploads.
pub fn attempt_file(task: TaskId, attempt: i32, name: &str) -> String {
    format!("{}/{name}", attempt_dir(task, attempt))
}

/// What log parts' keys begin with.
pub fn log_part_prefix(task: TaskId, attempt: i32) -> String {
    format!("{}/.log/", attempt_dir(task, attempt))
}

/// One numbered part of all the logs of an attempt.
pub fn log_part(task: TaskId, attempt: i32, part: u32) -> String {
    format!("{}{part:08}", log_part_prefix(task, attempt))
}

/// Something that a client uploads: `path` is the folder and the file, such as `cli-build/1795.abc/foo.src.rpm`.
pub fn client_upload(path: &str) -> String {
    format!("work/{path}")
}

/// One of Koji's 1 MiB pieces, until it is folded into a part of the object at `path`.
pub fn upload_piece(path: &str, start: i64) -> String {
    format!("{}{start:016}", upload_pieces(path))
}

/// What the keys of an upload's pieces begin with.
pub fn upload_pieces(path: &str) -> String {
    format!("work/.pieces/{path}/")
}

/// A build's folder.
pub fn build_dir(nvr: &Nvr) -> String {
    format!("packages/{}/{}/{}", nvr.name, nvr.version, nvr.release)
}

/// An RPM of a build. Its own name may differ from the build's.
pub fn rpm(build: &Nvr, rpm: &Nvra) -> String {
    format!("{}/{}/{}", build_dir(build), rpm.arch, rpm.file_name())
}

/// What the keys of a build's logs begin with.
pub fn build_logs(build: &Nvr) -> String {
    format!("{}/data/logs/", build_dir(build))
}

/// The signature header of an RPM with one key; the empty key is the header as it was built.
pub fn rpm_signature(build: &Nvr, rpm: &Nvra, key: &str) -> String {
    let key = if key.is_empty() { String::new() } else { format!("{key}/") };
    format!("{}/data/sigcache/{key}{}/{}.sig", build_dir(build), rpm.arch, rpm.file_name())
}

/// The copy of an RPM that is signed with one key.
pub fn signed_rpm(build: &Nvr, rpm: &Nvra, key: &str) -> String {
    let key = if key.is_empty() { String::new() } else { format!("{key}/") };
    format!("{}/data/signed/{key}{}/{}", build_dir(build), rpm.arch, rpm.file_name())
}

/// A build's log of one architecture.
pub fn build_log(build: &Nvr, arch: &str, name: &str) -> String {
    format!("{}{arch}/{name}", build_logs(build))
}

/// A file of a build that is no RPM, below the folder of its kind of content.
pub fn archive(build: &Nvr, btype: &str, subdir: &str, name: &str) -> String {
    let dir = format!("{}/files/{btype}", build_dir(build));
    if subdir.is_empty() { format!("{dir}/{name}") } else { format!("{dir}/{subdir}/{name}") }
}

/// A scratch build's folder.
pub fn scratch_dir(user: &str, task: TaskId) -> String {
    format!("scratch/{user}/task_{task}")
}

/// The folder of all repos of a tag.
pub fn repos_of_tag(tag: &str) -> String {
    format!("repos/{tag}")
}

/// A repo's folder.
pub fn repo_dir(tag: &str, repo: RepoId) -> String {
    format!("repos/{tag}/{repo}")
}

/// A file of a repo, below its folder.
pub fn repo_file(tag: &str, repo: RepoId, path: &str) -> String {
    format!("{}/{path}", repo_dir(tag, repo))
}

/// A file under content names that repos share; `folder` is that of a tag's repos, or of its dist repos.
pub fn shared_data(folder: &str, name: &str) -> String {
    format!("{folder}/data/{name}")
}

/// A file under content names that a tag's repos share.
pub fn repo_data(tag: &str, name: &str) -> String {
    shared_data(&repos_of_tag(tag), name)
}

/// A file of the tag's newest repo: a real object that is replaced, never a link.
pub fn latest_file(tag: &str, path: &str) -> String {
    format!("repos/{tag}/latest/{path}")
}

/// Which frames the files of an architecture's repo are made of: for the next one to take over.
pub fn repo_frames(tag: &str, repo: RepoId, arch: &str) -> String {
    repo_file(tag, repo, &format!("{arch}/frames.json"))
}

/// What was read of an external repo. `id` is the SHA-256 of its `repomd.xml`, hex.
pub fn external_repo(id: &str, name: &str) -> String {
    format!("external/{id}/{name}")
}

/// Until when the system counts as awake.
pub fn activity() -> String {
    "state/activity.json".to_owned()
}

/// Which external repos are watched, and what they said last.
pub fn external_repos() -> String {
    "state/external-repos.json".to_owned()
}

/// What a scheduled pass remembers.
pub fn pass(name: &str) -> String {
    format!("state/passes/{name}.json")
}

/// The folder of all dist repos of a tag.
pub fn dist_repos_of_tag(tag: &str) -> String {
    format!("repos-dist/{tag}")
}

/// A dist repo's folder.
pub fn dist_repo_dir(tag: &str, repo: RepoId) -> String {
    format!("repos-dist/{tag}/{repo}")
}

/// The folder of the tag's newest dist repo: real objects that are replaced, never a link.
pub fn latest_dist_repo(tag: &str) -> String {
    format!("repos-dist/{tag}/latest")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn koji_layout() {
        let build = Nvr::parse("foo-1.0-2.fc40").unwrap();
        let sub = Nvra::parse("foo-libs-1.0-2.fc40.x86_64").unwrap();
        assert_eq!(rpm(&build, &sub), "packages/foo/1.0/2.fc40/x86_64/foo-libs-1.0-2.fc40.x86_64.rpm");
        let sig = "packages/foo/1.0/2.fc40/data/sigcache/abcd1234/x86_64/foo-libs-1.0-2.fc40.x86_64.rpm.sig";
        assert_eq!(rpm_signature(&build, &sub, "abcd1234"), sig);
        let sig = "packages/foo/1.0/2.fc40/data/sigcache/x86_64/foo-libs-1.0-2.fc40.x86_64.rpm.sig";
        assert_eq!(rpm_signature(&build, &sub, ""), sig);
        let signed = "packages/foo/1.0/2.fc40/data/signed/abcd1234/x86_64/foo-libs-1.0-2.fc40.x86_64.rpm";
        assert_eq!(signed_rpm(&build, &sub, "abcd1234"), signed);
        assert_eq!(build_log(&build, "noarch", "build.log"), "packages/foo/1.0/2.fc40/data/logs/noarch/build.log");
        assert_eq!(attempt_file(TaskId(20_047), 2, "a.rpm"), "work/tasks/47/20047/2/a.rpm");
        assert_eq!(log_part(TaskId(1), 1, 7), "work/tasks/1/1/1/.log/00000007");
        assert_eq!(
            repo_file("f42-build", RepoId(9), "x86_64/repodata/repomd.xml"),
            "repos/f42-build/9/x86_64/repodata/repomd.xml"
        );
        assert_eq!(dist_repo_dir("f42", RepoId(9)), "repos-dist/f42/9");
    }
}

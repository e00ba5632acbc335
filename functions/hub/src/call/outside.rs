//! Koji's methods that are not offered on purpose: each is answered with what to do instead. They are in no list of methods.

use crate::Error;

/// Other things than RPMs.
const OTHER_KINDS: &[(&str, &[&str])] = &[
    (
        "Maven builds",
        &[
            "chainMaven",
            "createMavenBuild",
            "host.completeMavenBuild",
            "host.createMavenBuild",
            "host.importWrapperRPMs",
            "host.initMavenBuild",
            "host.moveMavenBuildToScratch",
            "host.updateMavenBuildRootList",
            "mavenBuild",
            "wrapperRPM",
        ],
    ),
    (
        "Windows builds",
        &["createWinBuild", "host.completeWinBuild", "host.initWinBuild", "host.moveWinBuildToScratch", "winBuild"],
    ),
    (
        "images and other archives",
        &[
            "buildImage",
            "buildImageIndirection",
            "buildImageOz",
            "createImageBuild",
            "dudBuild",
            "host.completeImageBuild",
            "host.importArchive",
            "host.importImage",
            "host.initImageBuild",
            "host.moveImageBuildToScratch",
            "host.updateBuildrootArchives",
            "importArchive",
            "kiwiBuild",
        ],
    ),
];

/// What Koji's own builder daemon calls.
const KOJID: &[&str] = &[
    "host.assertPolicy",
    "host.checkPolicy",
    "host.completeBuild",
    "host.distRepoMove",
    "host.evalPolicy",
    "host.failBuild",
    "host.freeTasks",
    "host.getHost",
    "host.getHostTasks",
    "host.getID",
    "host.getLoadData",
    "host.getTasks",
    "host.initBuild",
    "host.isEnabled",
    "host.moveBuildToScratch",
    "host.openTask",
    "host.refuseTask",
    "host.repoDone",
    "host.repoInit",
    "host.setHostData",
    "host.subtask",
    "host.subtask2",
    "host.tagBuild",
    "host.tagNotification",
    "host.taskSetWait",
    "host.taskUnwait",
    "host.taskWait",
    "host.taskWaitResults",
    "host.updateHost",
    "host.writeSignedRPM",
];

/// The fault for a method that the table does not have.
pub(super) fn missing(method: &str) -> Error {
    if let Some((kind, _)) = OTHER_KINDS.iter().find(|(_, methods)| methods.contains(&method)) {
        return Error::invalid(format!("{method}: {kind} are not built here: toji builds RPMs; ask a Koji for them"));
    }
    if KOJID.contains(&method) {
        return Error::invalid(format!(
            "{method} is not served here: it is kojid's, and toji's builders have a protocol of their own; run toji-builder"
        ));
    }
    Error::invalid(format!("Invalid method: {method}"))
}

//! Where the programs under test are.

use std::path::PathBuf;

/// One of ours, from the folder that the tests were built into. `make test` builds them all before.
///
/// # Panics
/// When it is not there.
pub fn program(name: &str) -> PathBuf {
    let exe = std::env::current_exe().expect("a test knows its own file");
    // target/debug/deps/e2e-0123456789abcdef, or a program beside it
    let folder = exe.parent().expect("a file is in a folder");
    let folder = if folder.ends_with("deps") { folder.parent().expect("deps is in a folder") } else { folder };
    let path = folder.join(name);
    assert!(path.is_file(), "{} is missing; run: cargo build --workspace --bins", path.display());
    path
}

/// The stock client, where `TOJI_TEST_KOJI` names one.
pub fn koji() -> Option<PathBuf> {
    std::env::var_os("TOJI_TEST_KOJI").map(PathBuf::from)
}

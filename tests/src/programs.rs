//! Where the programs under test are.

use std::path::PathBuf;

/// One of ours, from the folder that the tests were built into. `make test` builds them all before.
///
/// # Panics
/// When it is not there.
pub fn program(name: &str) -> PathBuf {
    let exe = std::env::current_exe().expect("a test knows its own file");
    // target/debug/deps/e2e-0123456789abcdef
    let path = exe.ancestors().nth(2).expect("tests are built into target/PROFILE/deps").join(name);
    assert!(path.is_file(), "{} is missing; run: cargo build --workspace --bins", path.display());
    path
}

/// The stock client, where `TOJI_TEST_KOJI` names one.
pub fn koji() -> Option<PathBuf> {
    std::env::var_os("TOJI_TEST_KOJI").map(PathBuf::from)
}

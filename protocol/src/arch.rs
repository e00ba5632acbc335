//! Architectures: which names mean the same machine.

/// The base architecture of a repo that holds packages of `arch`: `i686` is in `i386`'s. Koji's `canonArch`.
pub fn canonical(arch: &str) -> &str {
    let is_i_86 = arch.len() == 4 && arch.starts_with('i') && arch.ends_with("86");
    match arch {
        _ if is_i_86 => "i386",
        "athlon" => "i386",
        "ia32e" => "x86_64",
        "ppc64le" => "ppc64le",
        _ if arch.starts_with("ppc64") => "ppc64",
        _ if arch.starts_with("sparc64") => "sparc64",
        _ if arch.starts_with("sparc") => "sparc",
        _ if arch.starts_with("alpha") => "alpha",
        _ if is_arm_hard_float(arch) => "armhfp",
        _ if arch.starts_with("arm") => "arm",
        _ => arch,
    }
}

/// `arm…h…`: the hard-float variants, such as `armv7hl`.
fn is_arm_hard_float(arch: &str) -> bool {
    arch.strip_prefix("arm").is_some_and(|rest| rest.contains('h'))
}

/// Splits a list as it is stored: words with blanks or commas between them.
pub fn split_list(list: &str) -> Vec<String> {
    list.split([' ', ',', '\t', '\n']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Only letters, digits, `_` and `-`.
pub fn is_valid(arch: &str) -> bool {
    !arch.is_empty() && arch.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_names() {
        for (arch, base) in [
            ("i686", "i386"),
            ("i486", "i386"),
            ("athlon", "i386"),
            ("ia32e", "x86_64"),
            ("ppc64le", "ppc64le"),
            ("ppc64p7", "ppc64"),
            ("sparc64v", "sparc64"),
            ("sparcv9", "sparc"),
            ("alphaev6", "alpha"),
            ("armv7hl", "armhfp"),
            ("armv5tel", "arm"),
            ("amd64", "amd64"),
            ("x86_64_v2", "x86_64_v2"),
            ("noarch", "noarch"),
            ("aarch64", "aarch64"),
        ] {
            assert_eq!(canonical(arch), base, "{arch}");
        }
    }

    #[test]
    fn lists() {
        assert_eq!(split_list(" x86_64  aarch64,s390x "), ["x86_64", "aarch64", "s390x"]);
        assert!(is_valid("x86_64") && !is_valid("x86;64") && !is_valid(""));
    }
}

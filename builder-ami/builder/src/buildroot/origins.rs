//! Where a repo's packages come from: built here, or from which external repo.

use std::{collections::HashMap, io::Read};

use quick_xml::{Reader, XmlVersion, events::Event};
use toji_protocol::{
    client::Client,
    id::ExternalRepoId,
    method::{external_repo::TagExternalRepo, worker::InstalledRpm},
};

use crate::{
    failure::{Doing, TaskError},
    fetch,
};

const LARGEST: usize = 64 * 1024 * 1024;

/// The packages of a repo that were not built here.
#[derive(Debug, Default)]
pub(super) struct Origins {
    /// The base URL that each came from, without a slash at the end.
    urls: HashMap<String, String>,
    repos: HashMap<String, ExternalRepoId>,
}

impl Origins {
    /// Reads a repo's origins.
    ///
    /// # Errors
    /// When its metadata cannot be loaded or read.
    pub(super) async fn load(
        client: &Client,
        baseurl: &str,
        externals: &[TagExternalRepo],
        arch: &str,
    ) -> Result<Self, TaskError> {
        // The first stands, as it does where repos are merged.
        let repos = externals.iter().rev().map(|repo| (address(&repo.url, arch), repo.external_repo_id)).collect();
        if externals.is_empty() {
            return Ok(Self { urls: HashMap::new(), repos });
        }
        let repomd = fetch::small(client, &format!("{baseurl}/repodata/repomd.xml"), LARGEST).await?;
        let Some(href) = href_of(&repomd, "origin") else {
            return Ok(Self { urls: HashMap::new(), repos });
        };
        let file = fetch::small(client, &format!("{baseurl}/{href}"), LARGEST).await?;
        let text = unpacked(&href, &file).doing(|| format!("reading {href}"))?;
        let urls = text.lines().filter_map(|line| {
            let (nevra, url) = line.split_once('\t')?;
            Some((nevra.to_owned(), url.trim_end_matches('/').to_owned()))
        });
        Ok(Self { urls: urls.collect(), repos })
    }

    /// Notes each package's external repo.
    ///
    /// # Errors
    /// When one comes from a repo that the tag does not have.
    pub(super) fn note(&self, rpms: &mut [InstalledRpm]) -> Result<(), TaskError> {
        for rpm in rpms {
            let InstalledRpm { name, version, release, arch, .. } = &*rpm;
            let epoch = rpm.epoch.unwrap_or(0);
            let full = format!("{name}-{epoch}:{version}-{release}.{arch}");
            let url = self.urls.get(&full).or_else(|| self.urls.get(&format!("{name}-{version}-{release}.{arch}")));
            let Some(url) = url else { continue };
            let Some(repo) = self.repos.get(url) else {
                return Err(TaskError::Invalid(format!(
                    "{full} in the buildroot comes from {url}, which is no external repo of the tag"
                )));
            };
            rpm.external_repo_id = Some(*repo);
        }
        Ok(())
    }
}

/// An external repo's URL for an architecture, as it is compared.
fn address(url: &str, arch: &str) -> String {
    url.replace("$arch", arch).trim_end_matches('/').to_owned()
}

/// Where repomd.xml says that the data of this type are.
fn href_of(repomd: &[u8], wanted: &str) -> Option<String> {
    let mut reader = Reader::from_reader(repomd);
    let mut inside = false;
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) | Event::Empty(tag) if tag.local_name().as_ref() == "data" => {
                inside = tag.try_get_attribute("type").ok()?.is_some_and(|kind| kind.value.as_ref() == wanted);
            }
            Event::Start(tag) | Event::Empty(tag) if inside && tag.local_name().as_ref() == "location" => {
                let href = tag.try_get_attribute("href").ok()??;
                return Some(href.normalized_value(XmlVersion::Explicit1_0).ok()?.into_owned());
            }
            Event::Eof => return None,
            _ => {}
        }
    }
}

/// The text of a file, by its name's ending. Both kinds may be several frames, one after the other.
fn unpacked(name: &str, file: &[u8]) -> std::io::Result<String> {
    let mut text = String::new();
    if name.ends_with(".gz") {
        flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text)?;
    } else if name.ends_with(".zst") {
        zstd::Decoder::new(file)?.read_to_string(&mut text)?;
    } else {
        text = String::from_utf8_lossy(file).into_owned();
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn rpm(name: &str, epoch: Option<i64>) -> InstalledRpm {
        InstalledRpm {
            name: name.to_owned(),
            version: "1".to_owned(),
            release: "2".to_owned(),
            epoch,
            arch: "x86_64".to_owned(),
            payloadhash: String::new(),
            size: 0,
            buildtime: 0,
            external_repo_id: None,
        }
    }

    fn origins(lines: &[(&str, &str)]) -> Origins {
        let own = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
        Origins {
            urls: lines.iter().map(own).collect(),
            repos: HashMap::from([(address("http://e/$arch/os/", "x86_64"), ExternalRepoId(7))]),
        }
    }

    #[test]
    fn packages_are_told_apart() {
        let origins = origins(&[("a-0:1-2.x86_64", "http://e/x86_64/os"), ("b-1-2.x86_64", "http://e/x86_64/os")]);
        let mut rpms = [rpm("a", None), rpm("b", None), rpm("c", None), rpm("a", Some(1))];
        origins.note(&mut rpms).unwrap();
        let external = Some(ExternalRepoId(7));
        assert_eq!(rpms.map(|rpm| rpm.external_repo_id), [external, external, None, None]);
    }

    #[test]
    fn unknown_origins_are_refused() {
        let origins = origins(&[("a-0:1-2.x86_64", "http://other")]);
        let error = origins.note(&mut [rpm("a", None)]).unwrap_err();
        assert!(error.to_string().contains("http://other"));
    }

    #[test]
    fn repomd_names_the_file() {
        let repomd = b"<repomd><data type=\"primary\"><location href=\"repodata/p.xml\"/></data>\
            <data type=\"origin\"><checksum/><location href=\"repodata/a&amp;b-pkgorigins.gz\"/></data></repomd>";
        assert_eq!(href_of(repomd, "origin").as_deref(), Some("repodata/a&b-pkgorigins.gz"));
        assert_eq!(href_of(repomd, "group"), None);
        assert_eq!(href_of(b"<repomd><data", "origin"), None);
    }

    #[test]
    fn compressed_by_name() {
        let mut gz = Vec::new();
        for text in ["one\n", "two\n"] {
            let mut frame = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            frame.write_all(text.as_bytes()).unwrap();
            gz.extend(frame.finish().unwrap());
        }
        assert_eq!(unpacked("x.gz", &gz).unwrap(), "one\ntwo\n");
        let zst = [zstd::encode_all(&b"one\n"[..], 1).unwrap(), zstd::encode_all(&b"two\n"[..], 1).unwrap()].concat();
        assert_eq!(unpacked("x.zst", &zst).unwrap(), "one\ntwo\n");
        assert_eq!(unpacked("x", b"plain").unwrap(), "plain");
    }
}

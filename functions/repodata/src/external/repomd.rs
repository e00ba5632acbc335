//! An external repository's `repomd.xml`.

use std::io::{BufRead, BufReader, Read};

use quick_xml::{Reader, events::Event};

use super::{ExternalError, checked::CheckedReader, decompress::decompress, package::attribute};

/// A checksum and its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checksum {
    /// `sha256` and the like.
    pub algorithm: String,
    /// The digest, hex.
    pub hex: String,
}

/// One file of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// `primary`, `filelists`, `other`, `group` …
    pub kind: String,
    /// Where it is, relative to the repository's base URL or to [`Record::base`].
    pub href: String,
    /// `xml:base`, rarely used.
    pub base: Option<String>,
    /// Checksum of the file as it is downloaded.
    pub checksum: Checksum,
    /// Checksum of the plain bytes.
    pub open_checksum: Option<Checksum>,
    /// Bytes of the file.
    pub size: Option<u64>,
    /// Bytes once unpacked.
    pub open_size: Option<u64>,
    /// Seconds since 1970.
    pub timestamp: Option<u64>,
}

/// The whole of `repomd.xml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repomd {
    /// Anything; usually the time it was made.
    pub revision: Option<String>,
    /// Its files.
    pub records: Vec<Record>,
}

impl Repomd {
    /// Parses the bytes of `repomd.xml`.
    pub fn parse(bytes: &[u8]) -> Result<Self, ExternalError> {
        let text = std::str::from_utf8(bytes).map_err(|error| ExternalError::Xml(error.to_string()))?;
        let mut reader = Reader::from_str(text);
        let (mut repomd, mut seen_root) = (Self { revision: None, records: Vec::new() }, false);
        let mut draft: Option<Draft> = None;
        loop {
            match reader.read_event()? {
                Event::Start(start) => {
                    let name = start.local_name();
                    let name: &str = name.as_ref();
                    match (name, &mut draft) {
                        ("repomd", _) => seen_root = true,
                        ("revision", None) => repomd.revision = Some(text_of(&mut reader)?),
                        ("data", None) => draft = Some(Draft { kind: attribute(&start, "type")?, ..Draft::default() }),
                        (_, Some(draft)) => {
                            let (name, algorithm) = (name.to_owned(), attribute(&start, "type")?);
                            if name == "location" {
                                draft.locate(&start)?;
                            } else {
                                draft.set(&name, algorithm, text_of(&mut reader)?);
                            }
                        }
                        _ => {}
                    }
                }
                Event::Empty(start) if AsRef::<str>::as_ref(&start.local_name()) == "location" => {
                    if let Some(draft) = &mut draft {
                        draft.locate(&start)?;
                    }
                }
                Event::End(end) if AsRef::<str>::as_ref(&end.local_name()) == "data" => {
                    if let Some(draft) = draft.take() {
                        repomd.records.push(draft.finish()?);
                    }
                }
                Event::Eof if seen_root && draft.is_none() => return Ok(repomd),
                Event::Eof => return Err(ExternalError::Incomplete("it has no whole <repomd>".into())),
                _ => {}
            }
        }
    }

    /// The record of a kind.
    pub fn record(&self, kind: &str) -> Option<&Record> {
        self.records.iter().find(|record| record.kind == kind)
    }

    /// The newest time of any of its files: what tells that a repository has changed.
    pub fn newest_timestamp(&self) -> Option<u64> {
        self.records.iter().filter_map(|record| record.timestamp).max()
    }
}

impl Record {
    /// A reader of the plain bytes of the downloaded file. Reading fails with `InvalidData` where size or checksum, of
    /// the file or of the plain bytes, are not those of the record. The last byte must be read for this to be known.
    pub fn reader<'a, R: Read + 'a>(&self, file: R) -> Result<impl BufRead + use<'a, R>, ExternalError> {
        let file = BufReader::new(CheckedReader::new(file, &self.checksum, self.size)?);
        let plain = decompress(file)?;
        let plain: Box<dyn Read + 'a> = match &self.open_checksum {
            Some(checksum) => Box::new(CheckedReader::new(plain, checksum, self.open_size)?),
            None => plain,
        };
        Ok(BufReader::with_capacity(64 << 10, plain))
    }
}

#[derive(Default)]
struct Draft {
    kind: Option<String>,
    href: Option<String>,
    base: Option<String>,
    checksum: Option<Checksum>,
    open_checksum: Option<Checksum>,
    size: Option<u64>,
    open_size: Option<u64>,
    timestamp: Option<u64>,
}

impl Draft {
    fn locate(&mut self, start: &quick_xml::events::BytesStart<'_>) -> Result<(), ExternalError> {
        self.href = attribute(start, "href")?;
        self.base = attribute(start, "xml:base")?;
        Ok(())
    }

    fn set(&mut self, name: &str, algorithm: Option<String>, text: String) {
        let text = text.trim();
        let checksum = algorithm.map(|algorithm| Checksum { algorithm, hex: text.to_owned() });
        match name {
            "checksum" => self.checksum = checksum,
            "open-checksum" => self.open_checksum = checksum,
            "size" => self.size = text.parse().ok(),
            "open-size" => self.open_size = text.parse().ok(),
            // Some old tools wrote fractions of seconds.
            "timestamp" => self.timestamp = text.split('.').next().and_then(|whole| whole.parse().ok()),
            _ => {}
        }
    }

    fn finish(self) -> Result<Record, ExternalError> {
        let kind = self.kind.ok_or_else(|| ExternalError::Incomplete("a file has no type".into()))?;
        let lacks = |what| ExternalError::Incomplete(format!("its {kind} file has no {what}"));
        Ok(Record {
            href: self.href.ok_or_else(|| lacks("location"))?,
            checksum: self.checksum.ok_or_else(|| lacks("checksum"))?,
            base: self.base,
            open_checksum: self.open_checksum,
            size: self.size,
            open_size: self.open_size,
            timestamp: self.timestamp,
            kind,
        })
    }
}

/// The text up to the end of the element that was just opened.
fn text_of(reader: &mut Reader<&[u8]>) -> Result<String, ExternalError> {
    let mut text = String::new();
    let mut depth = 0;
    loop {
        match reader.read_event()? {
            Event::Start(_) => depth += 1,
            Event::End(_) if depth == 0 => return Ok(text),
            Event::End(_) => depth -= 1,
            Event::Eof => return Err(ExternalError::Incomplete("it ends too early".into())),
            event => super::package::push_event_text(&mut text, &event)?,
        }
    }
}

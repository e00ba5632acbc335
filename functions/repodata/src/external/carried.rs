//! What a merged repository carries of others beside their packages: advisories, and modules.

use quick_xml::{Reader, events::Event};

use super::ExternalError;

/// Puts several `updateinfo.xml` together: the updates of all, in order.
///
/// # Errors
/// When one is not well-formed, or none at all.
pub fn merge_updateinfo(files: &[impl AsRef<[u8]>]) -> Result<Vec<u8>, ExternalError> {
    let mut merged = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<updates>".to_vec();
    for file in files {
        let text = std::str::from_utf8(file.as_ref()).map_err(|error| ExternalError::Xml(error.to_string()))?;
        merged.extend_from_slice(updates(text)?.trim_end().as_bytes());
    }
    merged.extend_from_slice(b"\n</updates>\n");
    Ok(merged)
}

/// What is between the root's tags.
fn updates(text: &str) -> Result<&str, ExternalError> {
    let mut reader = Reader::from_str(text);
    let (mut depth, mut begins, mut found) = (0_usize, 0, None);
    loop {
        let before = reader.buffer_position() as usize;
        match reader.read_event()? {
            Event::Start(start) => {
                if depth == 0 {
                    if start.local_name().as_ref() != "updates" {
                        return Err(ExternalError::Incomplete("it has no <updates>".into()));
                    }
                    begins = reader.buffer_position() as usize;
                }
                depth += 1;
            }
            Event::End(_) => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    found = Some(&text[begins..before]);
                }
            }
            Event::Empty(start) if depth == 0 && start.local_name().as_ref() == "updates" => found = Some(""),
            Event::Eof => return found.ok_or_else(|| ExternalError::Incomplete("it has no whole <updates>".into())),
            _ => {}
        }
    }
}

/// Puts several `modules.yaml` together: a stream of all their documents, in order. A reader merges those of one module itself.
///
/// # Errors
/// When one is no text.
pub fn merge_modules(files: &[impl AsRef<[u8]>]) -> Result<Vec<u8>, ExternalError> {
    let mut merged = Vec::new();
    for file in files {
        let text = std::str::from_utf8(file.as_ref()).map_err(|error| ExternalError::Xml(error.to_string()))?;
        if text.trim().is_empty() {
            continue;
        }
        if !text.trim_start().starts_with("---") {
            merged.extend_from_slice(b"---\n");
        }
        merged.extend_from_slice(text.trim_end().as_bytes());
        merged.push(b'\n');
        if !text.trim_end().ends_with("\n...") {
            merged.extend_from_slice(b"...\n");
        }
    }
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn updateinfo(files: &[&str]) -> Result<String, ExternalError> {
        merge_updateinfo(files).map(|merged| String::from_utf8(merged).unwrap())
    }

    #[test]
    fn updates_of_all() {
        let a = "<?xml version=\"1.0\"?>\n<updates>\n  <update><id>A&amp;1</id></update>\n</updates>\n";
        let b = "<updates generator=\"x\"><update><id>B</id></update></updates>";
        let merged = updateinfo(&[a, "<updates/>", b]).unwrap();
        let inner = "\n  <update><id>A&amp;1</id></update><update><id>B</id></update>\n";
        assert_eq!(merged, format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<updates>{inner}</updates>\n"));
        assert_eq!(updateinfo(&[&merged]).unwrap(), merged, "merged once more it is the same");
        for bad in ["", "<updates>", "<other/>", "<other></other>", "<updates><update></updates>"] {
            assert!(updateinfo(&[a, bad]).is_err(), "{bad}");
        }
    }

    #[test]
    fn modules_of_all() {
        let merged = merge_modules(&["---\na: 1\n...\n", "", "b: 2", "---\nc: 3\n---\nd: 4\n"]).unwrap();
        let wanted = "---\na: 1\n...\n---\nb: 2\n...\n---\nc: 3\n---\nd: 4\n...\n";
        assert_eq!(String::from_utf8(merged).unwrap(), wanted);
        assert!(merge_modules(&[b"\xff".as_slice()]).is_err());
    }
}

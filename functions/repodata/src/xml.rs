//! Escaping, byte for byte as libxml2 serialises the documents that createrepo_c writes.

use std::fmt::Write;

/// Appends `value` as element content. Characters that XML 1.0 cannot carry are left out.
pub(crate) fn push_text(out: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#13;"),
            c if is_allowed(c) => out.push(c),
            _ => {}
        }
    }
}

/// Appends `value` as the content of a double-quoted attribute. Everything outside ASCII becomes a character
/// reference, because libxml2 does so for a node dumped without a document.
pub(crate) fn push_attribute(out: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#9;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            c if c.is_ascii() && is_allowed(c) => out.push(c),
            c if is_allowed(c) => {
                // Writing to a String cannot fail.
                let _ = write!(out, "&#x{:X};", u32::from(c));
            }
            _ => {}
        }
    }
}

/// Appends ` name="value"`.
pub(crate) fn push_attribute_pair(out: &mut String, name: &str, value: &str) {
    out.push(' ');
    out.push_str(name);
    out.push_str("=\"");
    push_attribute(out, value);
    out.push('"');
}

/// Appends `<name>value</name>` on a line of its own, indented by `indent` spaces.
pub(crate) fn push_element(out: &mut String, indent: usize, name: &str, value: &str) {
    out.extend(std::iter::repeat_n(' ', indent));
    out.push('<');
    out.push_str(name);
    out.push('>');
    push_text(out, value);
    out.push_str("</");
    out.push_str(name);
    out.push_str(">\n");
}

fn is_allowed(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_escape_more_than_text_does() {
        let value = "a\"b'<>&é\t\r\n\u{1}\u{ffff}😀";
        let (mut text, mut attribute) = (String::new(), String::new());
        push_text(&mut text, value);
        push_attribute(&mut attribute, value);
        assert_eq!(text, "a\"b'&lt;&gt;&amp;é\t&#13;\n😀");
        assert_eq!(attribute, "a&quot;b'&lt;&gt;&amp;&#xE9;&#9;&#13;&#10;&#x1F600;");
    }
}

//! Python's own `xmlrpc.client`, which Koji's library is built on, reads what we write, and we what it writes.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::json;
use toji_protocol::value::{Map, Value};
use toji_protocol::xmlrpc::{Fault, decode_call, decode_response, encode_call, encode_fault};

/// Reads `{xml, literals}`, compares the call's parameters with the literals, and writes the call anew.
///
/// The standard library reads integers beyond 32 bits but does not write them; Koji's does, as `<i8>`.
const ECHO: &str = r#"
import datetime, json, sys, xmlrpc.client
def dump_int(self, value, write):
    tag = 'int' if -2**31 <= value < 2**31 else 'i8'
    write('<value><%s>%d</%s></value>\n' % (tag, value, tag))
xmlrpc.client.Marshaller.dispatch[int] = dump_int
request = json.load(sys.stdin)
params, method = xmlrpc.client.loads(request['xml'], use_builtin_types=True)
expected = [eval(literal) for literal in request['literals']]
assert len(params) == len(expected), params
for got, want in zip(params, expected):
    assert repr(got) == repr(want), 'got %r, want %r' % (got, want)
sys.stdout.write(xmlrpc.client.dumps(params, method, allow_none=True))
"#;

fn python(script: &str, input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("python3")
        .args(["-X", "utf8", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "python refused");
    output.stdout
}

fn corpus() -> Vec<(Value, &'static str)> {
    let tag = [
        ("id", Value::Int(7)),
        ("name", "f42-build".into()),
        ("perm", Value::Nil),
        ("locked", false.into()),
        ("extra", Map::new().into()),
    ];
    let tag: Map = tag.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    vec![
        (Value::Nil, "None"),
        (true.into(), "True"),
        (0.into(), "0"),
        (i32::MIN.into(), "-2**31"),
        (Value::Int(1 << 31), "2**31"),
        (i64::MIN.into(), "-2**63"),
        (i64::MAX.into(), "2**63 - 1"),
        (0.1.into(), "0.1"),
        (Value::Double(1_735_689_600.123_456), "1735689600.123456"),
        (Value::Double(1e300), "1e300"),
        (Value::Double(-5e-324), "-5e-324"),
        ("".into(), "''"),
        (" spaces and\nlines\t ".into(), r"' spaces and\nlines\t '"),
        ("<&>\"'ä、🍭]]>".into(), r#""<&>\"'ä、🍭]]>""#),
        (Value::Bytes(Vec::new()), "b''"),
        (Value::Bytes((0..=255).collect()), "bytes(range(256))"),
        (Value::DateTime("20240102T03:04:05".to_owned()), "datetime.datetime(2024, 1, 2, 3, 4, 5)"),
        (Value::Array(Vec::new()), "[]"),
        (Value::Array(vec![1.into(), Value::Array(vec!["a".into()])]), "[1, ['a']]"),
        (tag.into(), "{'id': 7, 'name': 'f42-build', 'perm': None, 'locked': False, 'extra': {}}"),
    ]
}

#[test]
fn python_reads_what_we_write_and_we_read_what_it_writes() {
    let (params, literals): (Vec<_>, Vec<_>) = corpus().into_iter().unzip();
    let xml = String::from_utf8(encode_call("build.echo", &params).unwrap()).unwrap();
    let request = json!({"xml": xml, "literals": literals}).to_string();
    let call = decode_call(&python(ECHO, request.as_bytes())).unwrap();
    assert_eq!(call.method, "build.echo");
    assert_eq!(call.params, params);
}

#[test]
fn python_reads_a_log_line_full_of_stray_bytes() {
    // Python writes a carriage return bare, so this goes one way only.
    let xml = encode_call("log", &["a\r\nb\u{1b}[0m\0".into()]).unwrap();
    let literal = r"'a\r\nb\ufffd[0m\ufffd'";
    let request = json!({"xml": String::from_utf8(xml).unwrap(), "literals": [literal]}).to_string();
    python(ECHO, request.as_bytes());
}

#[test]
fn faults_go_both_ways() {
    let script = "
import sys, xmlrpc.client
try:
    xmlrpc.client.loads(sys.stdin.read())
except xmlrpc.client.Fault as fault:
    sys.stdout.write(xmlrpc.client.dumps(xmlrpc.client.Fault(fault.faultCode + 1, fault.faultString)))
";
    let written = python(script, &encode_fault(1000, "No such tag: <ä>"));
    let fault = Fault { code: 1001, message: "No such tag: <ä>".to_owned() };
    assert_eq!(decode_response(&written).unwrap(), Err(fault));
}

//! Documents as the stock client and Koji's hub write them, and documents that must be refused.

use serde::Serialize;
use toji_protocol::value::{Map, Value};
use toji_protocol::xmlrpc::{
    EncodeError, Fault, MulticallReply, decode_call, decode_response, encode_call, encode_fault, encode_response,
    encode_value_into, join_named, split_named,
};

/// The value between the tags of a `<value>` in a response.
fn read(value: &str) -> Result<Value, String> {
    let document = format!("<methodResponse><params><param><value>{value}</value></param></params></methodResponse>");
    match decode_response(document.as_bytes()) {
        Ok(answer) => answer.map_err(|fault| fault.to_string()),
        Err(error) => Err(error.message().to_owned()),
    }
}

fn write<T: Serialize + ?Sized>(value: &T) -> String {
    let mut out = Vec::new();
    encode_value_into(value, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn map<const N: usize>(members: [(&str, Value); N]) -> Map {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[test]
fn a_login_as_the_stock_client_sends_it() {
    let call = decode_call(
        b"<?xml version='1.0'?>\n<methodCall>\n<methodName>login</methodName>\n<params>\n<param>\n\
          <value><string>bob</string></value>\n</param>\n<param>\n<value><string>s&amp;cret</string></value>\n</param>\n\
          <param>\n<value><struct>\n<member>\n<name>opts</name>\n<value><nil/></value></member>\n<member>\n\
          <name>__starstar</name>\n<value><boolean>1</boolean></value></member>\n</struct></value>\n</param>\n\
          </params>\n</methodCall>\n",
    )
    .unwrap();
    assert_eq!(call.method, "login");
    let (positional, named) = split_named(call.params);
    assert_eq!(positional, ["bob".into(), "s&cret".into()]);
    assert_eq!(named, map([("opts", Value::Nil)]));
}

#[test]
fn a_call_without_params_has_none() {
    for params in ["", "<params/>", "<params>\n</params>"] {
        let document = format!("<methodCall><methodName>getAPIVersion</methodName>{params}</methodCall>");
        assert_eq!(decode_call(document.as_bytes()).unwrap().params, []);
    }
}

#[test]
fn named_arguments_are_split_off_only_when_marked() {
    let plain = map([("arch", "x86_64".into())]);
    let unmarked = vec![Value::from(plain.clone())];
    assert_eq!(split_named(unmarked.clone()), (unmarked, Map::new()));

    let falsely = map([("arch", "x86_64".into()), ("__starstar", false.into())]);
    let falsely = vec![Value::from(falsely)];
    assert_eq!(split_named(falsely.clone()), (falsely, Map::new()));

    let marked = join_named(vec![1.into()], plain.clone());
    assert_eq!(split_named(marked), (vec![1.into()], plain));
    assert_eq!(join_named(vec![1.into()], Map::new()), [1.into()]);
    assert_eq!(split_named(Vec::new()), (Vec::new(), Map::new()));
}

#[test]
fn every_type_is_read() {
    for (text, value) in [
        ("plain", "plain".into()),
        ("", "".into()),
        ("  ", "  ".into()),
        ("<string/>", "".into()),
        ("<string> a </string>", " a ".into()),
        ("<untyped>x</untyped>", "x".into()),
        ("<string>&lt;a&gt; &amp; &quot;b&apos; &#228;&#x1F36D;</string>", "<a> & \"b' ä🍭".into()),
        ("<string>a<![CDATA[<b>&amp;]]>c<!-- no -->d</string>", "a<b>&amp;cd".into()),
        ("<string>a\r\nb\rc&#13;d</string>", "a\nb\nc\rd".into()),
        ("\n <int>\n7 </int>\n", 7.into()),
        ("<int>-1</int>", Value::Int(-1)),
        ("<i1>1</i1>", 1.into()),
        ("<i2>1</i2>", 1.into()),
        ("<i4>+1</i4>", 1.into()),
        ("<i8>9223372036854775807</i8>", i64::MAX.into()),
        ("<ex:i8>-9223372036854775808</ex:i8>", i64::MIN.into()),
        ("<biginteger>5000000000</biginteger>", Value::Int(5_000_000_000)),
        ("<double>1.5e-7</double>", Value::Double(1.5e-7)),
        ("<double>3</double>", Value::Double(3.0)),
        ("<boolean>1</boolean>", true.into()),
        ("<boolean>0</boolean>", false.into()),
        ("<nil/>", Value::Nil),
        ("<nil></nil>", Value::Nil),
        ("<ex:nil xmlns:ex='http://ws.apache.org/xmlrpc/namespaces/extensions'/>", Value::Nil),
        ("<base64>\naGVs\nbG8=\n</base64>", Value::Bytes(b"hello".to_vec())),
        ("<base64>aGVsbG8</base64>", Value::Bytes(b"hello".to_vec())),
        ("<base64/>", Value::Bytes(Vec::new())),
        ("<dateTime.iso8601>20240102T03:04:05</dateTime.iso8601>", Value::DateTime("20240102T03:04:05".into())),
        ("<array><data/></array>", Value::Array(Vec::new())),
        (
            "<array><data><value>a</value>\n<value><nil/></value></data></array>",
            Value::Array(vec!["a".into(), Value::Nil]),
        ),
        ("<struct/>", Map::new().into()),
        (
            "<struct><member><name>a</name><value>1</value></member>\
             <member><name>b</name><value/></member><member><name>a</name><value>2</value></member></struct>",
            map([("a", "2".into()), ("b", "".into())]).into(),
        ),
    ] {
        assert_eq!(read(text).as_ref(), Ok(&value), "{text}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (text, problem) in [
        ("<int></int>", r#""" is not an integer"#),
        ("<int>1.0</int>", r#""1.0" is not an integer"#),
        ("<i8>9223372036854775808</i8>", r#""9223372036854775808" does not fit in 64 bits, signed"#),
        ("<double>nan</double>", r#""nan" is not a finite number"#),
        ("<double>1e999</double>", r#""1e999" is not a finite number"#),
        ("<boolean>true</boolean>", r#"a boolean is 0 or 1, not "true""#),
        ("<base64>a</base64>", "not base64: Invalid input length: 1"),
        ("<nil>x</nil>", "expected the end of <nil>, found text"),
        ("<float>1</float>", r#"unknown element "float""#),
        ("<param/>", "expected the type of a value, found <param>"),
        ("x<int>1</int>", "expected the end of <value> after its text, found <int>"),
        ("<int>1</int>x", "expected the end of <value>, found text"),
        ("<int>1</int><int>1</int>", "expected the end of <value>, found <int>"),
        ("<int><int>1</int></int>", "expected text or a closing tag, found <int>"),
        ("<array></array>", "expected <data>, found a closing tag"),
        ("<array><data><int>1</int></data></array>", "expected <value>, found <int>"),
        ("<struct><member><value/></member></struct>", "expected <name>, found <value>"),
        ("<struct><member><name>a</name></member></struct>", "expected <value>, found a closing tag"),
        ("&nbsp;", r#"unknown entity "nbsp""#),
        ("&#0;", "invalid character reference: 0x0 character is not permitted in XML"),
        ("&#7;", "the character U+0007 is not allowed in XML"),
        ("\u{1b}[31m", "the character U+001B is not allowed in XML"),
        ("\u{ffff}", "the character U+FFFF is not allowed in XML"),
    ] {
        assert_eq!(read(text).unwrap_err(), problem, "{text}");
    }
}

#[test]
fn broken_documents_are_refused_at_their_place() {
    let error = |document: &[u8]| decode_call(document).unwrap_err().to_string();
    assert_eq!(error(b""), "expected <methodCall>, found the end of the document (at byte 0)");
    assert_eq!(error(b"hello"), "expected <methodCall>, found text (at byte 0)");
    assert_eq!(error(b"<methodCall/>"), "expected <methodName>, found a closing tag (at byte 13)");
    assert_eq!(error(b"<methodCall><methodName> </methodName></methodCall>"), "the method has no name (at byte 25)");
    assert_eq!(error(b"<methodCall><methodName>a</methodName></methodCall><x/>"), "unknown element \"x\" (at byte 51)");
    assert_eq!(
        error(b"<methodCall><methodName>a</methodName></methodCall>junk"),
        "expected the end of the document, found text (at byte 51)"
    );
    assert_eq!(error(b"<methodCall>\xff"), "the document is not UTF-8 (at byte 12)");
    assert_eq!(
        error(b"<?xml version='1.0' encoding='iso-8859-1'?><methodCall/>"),
        "the encoding must be UTF-8, not \"iso-8859-1\" (at byte 0)"
    );
    assert_eq!(
        error(b"<!DOCTYPE x [<!ENTITY a \"aaaa\">]><methodCall/>"),
        "a document type is not allowed (at byte 0)"
    );
    for broken in [
        &b"<methodCall><methodName>a"[..],
        b"<methodCall><methodName>a</methodCall>",
        b"<methodCall><methodName>a</methodName>",
        b"<methodCall><methodName>a</methodName><params><param/></params></methodCall>",
        b"<methodCall><methodName>a & b</methodName></methodCall>",
        b"<methodCall><methodName>a</methodName></methodCall><methodCall/>",
        b"<methodResponse><params/></methodResponse>",
    ] {
        decode_call(broken).unwrap_err();
    }
}

#[test]
fn a_byte_order_mark_is_skipped_and_counted() {
    let document = "\u{feff}<?xml version='1.0' encoding='UTF-8'?><methodCall><methodName>a</methodName></methodCall>";
    assert_eq!(decode_call(document.as_bytes()).unwrap().method, "a");
    assert_eq!(decode_call("\u{feff}<x/>".as_bytes()).unwrap_err().position(), 3);
}

#[test]
fn depth_is_limited() {
    let nested = |depth: usize| {
        let (open, close) = ("<array><data><value>".repeat(depth), "</value></data></array>".repeat(depth));
        read(&format!("{open}{close}"))
    };
    nested(63).unwrap();
    assert_eq!(nested(64).unwrap_err(), "values are nested more than 64 deep");
    assert_eq!(nested(100_000).unwrap_err(), "values are nested more than 64 deep");
}

#[test]
fn a_struct_of_many_members_is_read_in_linear_time() {
    let members = (0..100_000).map(|n| format!("<member><name>{n}</name><value/></member>")).collect::<String>();
    // With a comparison for each pair of members this would take minutes.
    let value = read(&format!("<struct>{members}{members}</struct>")).unwrap();
    assert_eq!(value.as_struct().unwrap().len(), 100_000);
}

#[test]
fn responses_and_faults_are_read_back() {
    let fault = Fault { code: 1000, message: "No such build: '<x>'".to_owned() };
    assert_eq!(decode_response(&encode_fault(fault.code, &fault.message)).unwrap(), Err(fault));
    assert_eq!(decode_response(&encode_response(&7).unwrap()).unwrap(), Ok(7.into()));

    for (document, problem) in [
        ("<methodResponse/>", "expected <params> or <fault>, found a closing tag"),
        ("<methodResponse><params/></methodResponse>", "a response has one parameter, not 0"),
        (
            "<methodResponse><fault><value>no</value></fault></methodResponse>",
            "a fault has the int faultCode and the string faultString",
        ),
    ] {
        assert_eq!(decode_response(document.as_bytes()).unwrap_err().message(), problem);
    }
}

#[test]
fn documents_are_framed_as_kojis() {
    insta::assert_snapshot!(String::from_utf8(encode_response(&true).unwrap()).unwrap(), @r"
    <?xml version='1.0'?>
    <methodResponse>
    <params>
    <param>
    <value><boolean>1</boolean></value>
    </param>
    </params>
    </methodResponse>
    ");
    insta::assert_snapshot!(String::from_utf8(encode_fault(1000, "a < b")).unwrap(), @r"
    <?xml version='1.0'?>
    <methodResponse>
    <fault>
    <value><struct><member><name>faultCode</name><value><int>1000</int></value></member><member><name>faultString</name><value><string>a &lt; b</string></value></member></struct></value>
    </fault>
    </methodResponse>
    ");
    let call = encode_call("build", &["a.src.rpm".into(), Value::Nil]).unwrap();
    insta::assert_snapshot!(String::from_utf8(call).unwrap(), @r"
    <?xml version='1.0'?>
    <methodCall>
    <methodName>build</methodName>
    <params>
    <param>
    <value><string>a.src.rpm</string></value>
    </param>
    <param>
    <value><nil/></value>
    </param>
    </params>
    </methodCall>
    ");
}

#[test]
fn numbers_are_written_for_python() {
    for (value, written) in [
        (write(&i32::MIN), "<value><int>-2147483648</int></value>"),
        (write(&2_147_483_648_i64), "<value><i8>2147483648</i8></value>"),
        (write(&(i64::MAX as u64)), "<value><i8>9223372036854775807</i8></value>"),
        (write(&1.0), "<value><double>1.0</double></value>"),
        (write(&0.1), "<value><double>0.1</double></value>"),
        (write(&1e300), "<value><double>1e300</double></value>"),
        (write(&1_735_689_600.123_456), "<value><double>1735689600.123456</double></value>"),
    ] {
        assert_eq!(value, written);
    }
}

#[test]
fn what_cannot_be_said_is_refused_and_leaves_nothing_behind() {
    let mut out = b"before".to_vec();
    let too_large = encode_value_into(&[1, u64::MAX], &mut out);
    assert_eq!(too_large, Err(EncodeError::IntTooLarge(u64::MAX.to_string())));
    for number in [f64::NAN, f64::INFINITY] {
        assert_eq!(encode_value_into(&number, &mut out), Err(EncodeError::NotFinite(number.to_string())));
    }
    let keyed = std::collections::BTreeMap::from([((1, 2), 3)]);
    let refused = encode_value_into(&keyed, &mut out).unwrap_err().to_string();
    assert_eq!(refused, "a struct's member cannot be named by a list");
    assert_eq!(out, b"before");
}

#[test]
fn text_is_escaped_and_stray_characters_are_replaced() {
    let written = write("a<b>&\"c'\r\n\t\0\u{1b}[31m\u{fffe}\u{7f}、😀");
    assert_eq!(
        written,
        "<value><string>a&lt;b&gt;&amp;\"c'&#13;\n\t\u{fffd}\u{fffd}[31m\u{fffd}\u{7f}、😀</string></value>"
    );
    assert_eq!(write(&format_args!("{}<", 1)), "<value><string>1&lt;</string></value>");
}

#[test]
fn rust_types_are_written_as_their_shapes() {
    #[derive(Serialize)]
    struct Id(i64);
    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    enum State {
        Open,
        Newtype(i64),
        Tuple(i64, i64),
        Struct { a: Option<i64> },
    }
    #[derive(Serialize)]
    struct Unit;

    fn member(name: &str, value: &str) -> String {
        format!("<value><struct><member><name>{name}</name>{value}</member></struct></value>")
    }
    let one = "<value><int>1</int></value>";
    let list = format!("<value><array><data>{one}{one}</data></array></value>");

    assert_eq!(write(&Id(1)), one);
    assert_eq!(write(&Unit), "<value><nil/></value>");
    assert_eq!(write(&None::<Id>), "<value><nil/></value>");
    assert_eq!(write(&(1, Id(1))), list);
    assert_eq!(write(&State::Open), "<value><string>open</string></value>");
    assert_eq!(write(&State::Newtype(1)), member("newtype", one));
    assert_eq!(write(&State::Tuple(1, 1)), member("tuple", &list));
    assert_eq!(write(&State::Struct { a: None }), member("struct", &member("a", "<value><nil/></value>")));
    assert_eq!(write(&std::collections::BTreeMap::from([(1, 1)])), member("1", one));
    assert_eq!(write(&Value::Bytes(vec![0, 255])), "<value><base64>AP8=</base64></value>");
    let date = Value::DateTime("20240102T03:04:05".to_owned());
    assert_eq!(write(&date), "<value><dateTime.iso8601>20240102T03:04:05</dateTime.iso8601></value>");
}

#[test]
fn trait_objects_are_written_as_what_they_are() {
    let bytes = Value::from(map([("a", Value::Bytes(vec![1])), ("b", Value::DateTime("x".to_owned()))]));
    let object: Box<dyn erased_serde::Serialize> = Box::new(bytes.clone());
    assert_eq!(write(&*object), write(&bytes));
}

#[test]
fn a_multicall_is_answered_entry_by_entry() {
    let mut reply = MulticallReply::new();
    reply.push_result(&"first").unwrap();
    reply.push_result(&f64::NAN).unwrap_err();
    reply.push_fault(&Fault { code: 1000, message: "No such tag".to_owned() }, &["line"]).unwrap();
    reply.push_result(&()).unwrap();

    let traceback = Value::Array(vec!["line".into()]);
    let fault = map([("faultCode", 1000.into()), ("faultString", "No such tag".into()), ("traceback", traceback)]);
    let entries = vec![Value::Array(vec!["first".into()]), fault.into(), Value::Array(vec![Value::Nil])];
    assert_eq!(decode_response(&reply.finish()).unwrap(), Ok(Value::Array(entries)));
}

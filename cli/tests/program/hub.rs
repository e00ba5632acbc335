//! A hub whose answers a test writes: each method's in order, the last one for ever.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

/// A call, or an upload, as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// A method's name, or `PUT` and the path.
    pub(crate) name: String,
    /// The arguments of a call.
    pub(crate) arguments: Value,
    /// The bearer token.
    pub(crate) token: Option<String>,
}

/// A status and a body.
#[derive(Clone)]
struct Answer(u16, Vec<u8>);

#[derive(Default)]
struct Script {
    answers: HashMap<String, Vec<Answer>>,
    seen: Vec<Seen>,
}

/// The hub.
#[derive(Clone)]
pub(crate) struct Hub {
    pub(crate) url: String,
    script: Arc<Mutex<Script>>,
}

impl Hub {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let hub = Self { url, script: Arc::default() };
        let serving = hub.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let serving = serving.clone();
                std::thread::spawn(move || serving.serve(&stream.unwrap()));
            }
        });
        hub
    }

    /// What a method answers next; the last answer is given again and again.
    pub(crate) fn answers(&self, name: &str, answer: Value) -> &Self {
        self.add(name, Answer(200, answer.to_string().into_bytes()))
    }

    /// A file below the top URL.
    pub(crate) fn file(&self, path: &str, content: &[u8]) -> &Self {
        self.add(path, Answer(200, content.to_vec()))
    }

    /// A fault that a method answers.
    pub(crate) fn refuses(&self, name: &str, status: u16, code: i32, detail: &str) -> &Self {
        let problem = json!({"type": "about:blank", "status": status, "detail": detail, "faultCode": code});
        self.add(name, Answer(status, problem.to_string().into_bytes()))
    }

    fn add(&self, name: &str, answer: Answer) -> &Self {
        self.script.lock().unwrap().answers.entry(name.to_owned()).or_default().push(answer);
        self
    }

    /// Everything that arrived so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.script.lock().unwrap().seen.clone()
    }

    /// The first call of a method.
    pub(crate) fn call(&self, name: &str) -> Seen {
        let seen = self.seen();
        seen.iter().find(|seen| seen.name == name).unwrap_or_else(|| panic!("no {name} among {seen:?}")).clone()
    }

    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Some((line, headers, body)) = read(&mut reader) {
            let mut words = line.split(' ');
            let (verb, path) = (words.next().unwrap(), words.next().unwrap());
            let name = match (verb, path.strip_prefix("/api/")) {
                ("POST", Some(method)) => method.to_owned(),
                ("PUT", _) => format!("PUT {path}"),
                _ => path.to_owned(),
            };
            let token = headers.get("authorization").and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
            let arguments = serde_json::from_slice(&body).unwrap_or(Value::Null);
            let Answer(status, mut body) = self.next(Seen { name, arguments, token });
            let mut head = format!("HTTP/1.1 {status} X\r\netag: \"e\"\r\n");
            // As a file server would: the rest of a file, where only that is asked for.
            let start =
                headers.get("range").and_then(|range| range.strip_prefix("bytes=")?.trim_end_matches('-').parse().ok());
            if let Some(start) = start.filter(|start: &usize| status == 200 && *start < body.len()) {
                head = format!("HTTP/1.1 206 X\r\ncontent-range: bytes {start}-{}/{}\r\n", body.len() - 1, body.len());
                body.drain(..start);
            }
            let head = format!("{head}content-length: {}\r\n\r\n", body.len());
            let mut stream = stream;
            if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).is_err() {
                return;
            }
        }
    }

    fn next(&self, seen: Seen) -> Answer {
        let mut script = self.script.lock().unwrap();
        let name = seen.name.clone();
        script.seen.push(seen);
        let unknown = || Answer(404, json!({"detail": format!("no answer for {name}")}).to_string().into_bytes());
        match script.answers.get_mut(&name) {
            Some(answers) if answers.len() > 1 => answers.remove(0),
            Some(answers) => answers.first().cloned().unwrap_or_else(unknown),
            None if name.starts_with("PUT ") => Answer(200, Vec::new()),
            None => unknown(),
        }
    }
}

type Request = (String, HashMap<String, String>, Vec<u8>);

fn read(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut headers = HashMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((line.trim_end().to_owned(), headers, body))
}

//! Two network namespaces of the test's own, joined by a cable, and nothing else: a machine, and one that plays EC2's metadata service.
//! No packet of theirs leaves them.

use std::{
    ffi::OsString,
    fs::File,
    net::{SocketAddr, TcpListener as StdListener},
    os::fd::AsFd,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Where EC2 has its metadata service.
const METADATA: [&str; 2] = ["169.254.169.254:80", "[fd00:ec2::254]:80"];

/// A machine whose network is this test's alone.
pub struct Network {
    machine: Namespace,
    /// Kept for what is in it.
    _service: Namespace,
    asked: Arc<AtomicUsize>,
    servers: Vec<JoinHandle<()>>,
}

/// A network namespace; it lives as long as the process that holds it.
struct Namespace(Child);

impl Network {
    /// A machine that reaches the metadata service, as one on EC2 does, and these servers of this machine's loopback. That is all it reaches.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn like_ec2(servers: &[SocketAddr]) -> Self {
        let (machine, service) = (Namespace::new(), Namespace::new());
        let far = service.0.id().to_string();
        machine.ip(&["link", "set", "lo", "up"]);
        machine.ip(&["link", "add", "name", "near0", "type", "veth", "peer", "name", "far0", "netns", &far]);
        for (namespace, device, addresses) in [
            (&machine, "near0", ["169.254.169.1/24", "fd00:ec2::1/64"]),
            (&service, "far0", ["169.254.169.254/24", "fd00:ec2::254/64"]),
        ] {
            namespace.ip(&["address", "add", addresses[0], "dev", device]);
            namespace.ip(&["-6", "address", "add", addresses[1], "dev", device, "nodad"]);
            namespace.ip(&["link", "set", device, "up"]);
        }
        let asked = Arc::new(AtomicUsize::new(0));
        let relayed = servers.iter().map(|server| tokio::spawn(relay(machine.listen(*server), *server)));
        let mut servers: Vec<_> = relayed.collect();
        for address in METADATA {
            let listener = service.listen(address.parse().expect("an address"));
            servers.push(tokio::spawn(answer(listener, Arc::clone(&asked))));
        }
        Self { machine, _service: service, asked, servers }
    }

    /// What a program is to be run by so as to be on that machine.
    pub fn through(&self) -> Vec<OsString> {
        ["nsenter".into(), format!("--net=/proc/{}/ns/net", self.machine.0.id()).into(), "--".into()].into()
    }

    /// Puts the metadata service out of the machine's reach.
    pub fn forbid_metadata(&self) {
        self.machine.ip(&["route", "add", "unreachable", "169.254.169.254/32"]);
        self.machine.ip(&["-6", "route", "add", "unreachable", "fd00:ec2::254/128", "metric", "1"]);
    }

    /// How many questions the metadata service has answered.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// Runs a program on that machine, and answers what it says.
    ///
    /// # Panics
    /// When it cannot be run.
    pub async fn run(&self, argv: &[&str]) -> String {
        let through = self.through();
        let mut command = tokio::process::Command::new(&through[0]);
        let output = command.args(&through[1..]).args(argv).output().await.expect("nsenter can be run");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.servers.iter().for_each(JoinHandle::abort);
    }
}

impl Namespace {
    fn new() -> Self {
        let mut command = Command::new("unshare");
        // The shell says when it is in there.
        command
            .args(["--net", "--", "sh", "-c", "echo; exec sleep infinity"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("unshare can be run");
        let mut said = [0];
        let mut stdout = child.stdout.take().expect("its output is ours");
        std::io::Read::read_exact(&mut stdout, &mut said).expect("a network namespace can be made");
        Self(child)
    }

    /// Runs `ip` within.
    fn ip(&self, arguments: &[&str]) {
        let namespace = format!("--net=/proc/{}/ns/net", self.0.id());
        let done = Command::new("nsenter").args([&namespace, "--", "ip"]).args(arguments).status();
        assert!(done.is_ok_and(|status| status.success()), "ip {}", arguments.join(" "));
    }

    /// Listens within. A socket stays where it was made, so what is done with it later may be done anywhere.
    fn listen(&self, address: SocketAddr) -> TcpListener {
        let namespace = File::open(format!("/proc/{}/ns/net", self.0.id())).expect("a namespace can be opened");
        // A thread that has moved there must not do anything else.
        let moved = std::thread::spawn(move || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).expect("a thread can move");
            let listener = StdListener::bind(address).expect("an address of its own");
            listener.set_nonblocking(true).expect("a socket that does not block");
            listener
        });
        let listener = moved.join().unwrap_or_else(|_| panic!("nobody can listen at {address}"));
        TcpListener::from_std(listener).expect("a listener of the runtime's")
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Hands each connection on to the server outside.
async fn relay(listener: TcpListener, server: SocketAddr) {
    while let Ok((mut inside, _)) = listener.accept().await {
        tokio::spawn(async move {
            let Ok(mut outside) = TcpStream::connect(server).await else { return };
            // Whoever hangs up first ends it.
            let _ = copy_bidirectional(&mut inside, &mut outside).await;
        });
    }
}

/// Gives credentials to whoever asks.
async fn answer(listener: TcpListener, asked: Arc<AtomicUsize>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let asked = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut question = [0; 1024];
            // A connection alone is no question.
            if stream.read(&mut question).await.is_ok_and(|length| length > 0) {
                asked.fetch_add(1, Ordering::Relaxed);
                let secret = "HTTP/1.0 200 OK\r\nContent-Length: 15\r\n\r\nSecretAccessKey";
                let _ = stream.write_all(secret.as_bytes()).await;
            }
        });
    }
}

//! The public listener over a real connection: bytes that anybody may send, in front of a mesh that nobody serves.
use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{Arc, LazyLock},
    time::Duration,
};

use ck8s_edge::{Edge, EdgeConfig, EdgeDeps};
use ck8s_rpc::{guard::GuardLayer, identify::MeshIdentify, mesh::Mesh, policy::Policy};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

/// How long an answer may take: nothing here waits for anything but the client.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// More bytes than all answers on one connection have.
const MAX_ANSWER_BYTES: u64 = 16 * 1024 * 1024;

/// The listener of this process.
static LISTENER: LazyLock<SocketAddr> = LazyLock::new(start);

/// Sends the input and reads the answers. A server error is a finding, unless it says that something is unavailable.
pub(crate) fn run(input: &[u8]) {
    let mut stream = TcpStream::connect(*LISTENER).expect("connected");
    stream
        .set_read_timeout(Some(ANSWER_TIMEOUT))
        .expect("a timeout");
    // The listener may close the connection before it has read everything.
    let _ = stream.write_all(input);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let read = stream.take(MAX_ANSWER_BYTES).read_to_end(&mut answer);
    if let Err(error) = read {
        assert_eq!(
            error.kind(),
            std::io::ErrorKind::ConnectionReset,
            "the listener does not answer"
        );
    }
    let text = String::from_utf8_lossy(&answer);
    for status in text
        .split("\r\n")
        .filter_map(|line| line.strip_prefix("HTTP/1.1 "))
    {
        assert!(!status.starts_with("500"), "{text}");
    }
    assert!(
        !text.contains("grpc-status: 13") && !text.contains("grpc-status: 2\r"),
        "{text}"
    );
}

fn start() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("it does not block");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(serve(listener));
    });
    address
}

async fn serve(listener: std::net::TcpListener) {
    let policy = Policy::from_descriptor_set(ck8s_proto::FILE_DESCRIPTOR_SET).expect("a policy");
    let policy = Arc::new(policy);
    let (channel, services) = {
        let mesh = Mesh::new();
        let channel = mesh.channel("edge");
        let identity = Arc::new(MeshIdentify::new(channel.clone()));
        let guard = GuardLayer::new(policy.clone(), identity);
        let services = mesh.services(Routes::default(), &guard.public(), &guard.relay());
        (channel, services)
    };
    let deps = EdgeDeps {
        listener: tokio::net::TcpListener::from_std(listener).expect("a listener"),
        services,
        policy,
        channel,
        readiness: || async { Vec::new() },
    };
    let config = EdgeConfig {
        webhook_rate: 0,
        sign_in_rate: 0,
        ..EdgeConfig::default()
    };
    Edge::serve(deps, config, CancellationToken::new())
        .await
        .expect("it serves");
}

//! The configuration of nginx that is shipped for several nodes, in a real nginx before real nodes.

use crate::support::cluster::Nodes;
use crate::support::document::root;
use crate::support::instance::Door;
use crate::support::nginx::Nginx;
use crate::support::wait_for;
use crate::support::watcher::{Came, Stream};
use serde_json::{Value, json};
use slackwater::clock;
use tempfile::TempDir;

const ANA: &str = "https://tide.example/users/ana";
/// So many that each node serves some.
const ACCOUNTS: usize = 24;

/// A failure means that readers get errors while a node that is dead is still in the load balancer, or cannot watch through it.
#[test]
fn behind_the_nginx_that_is_shipped_readers_go_on_when_a_node_dies() {
    let mut nodes = Nodes::start(3, "");
    let nginx = balancer(&nodes);
    let door = Door::to(&format!("http://127.0.0.1:{}", nginx.port));
    let accounts = || (0..ACCOUNTS).map(|n| n.to_string());
    let told: Vec<String> = accounts()
        .flat_map(|account| {
            let actor = format!("https://home.example/users/{account}");
            [
                json!({"type": "account", "account": account, "actor": actor}),
                json!({"type": "follow", "account": account, "target": ANA}),
            ]
        })
        .map(|line| line.to_string())
        .collect();
    door.post_lines("/v1/relationships", &told);
    let home = |account: &str| door.get(&format!("/v1/accounts/{account}/feeds/home"));
    post(&door, 1);
    for account in accounts() {
        wait_for("the post in every home", || {
            let page = home(&account);
            assert_eq!(page.status, 200, "{}", page.text);
            page.text.contains(&uri(1)).then_some(())
        });
    }
    // An account of the node that dies is watched through nginx.
    let of_dead = served_by(&nodes, "c");
    let watched = accounts().find(|it| of_dead.contains(it)).unwrap();
    let path = format!("/v1/accounts/{watched}/feeds/home/stream");
    let mut stream = Stream::open(&door, &path, &[]).unwrap();
    post(&door, 2);
    until_told(&mut stream, 2);
    nodes.nodes[2].kill9();
    while !matches!(stream.next(), Came::Closed(1012) | Came::Gone) {}
    for account in accounts() {
        let page = home(&account);
        assert_eq!(page.status, 200, "account {account}: {}", page.text);
    }
    let mut stream = Stream::open(&door, &path, &[]).unwrap();
    post(&door, 3);
    until_told(&mut stream, 3);
}

#[test]
fn nginx_accepts_the_configuration_as_it_is_shipped_but_for_the_names_of_nodes() {
    let dir = TempDir::new().unwrap();
    let mut shipped = shipped();
    for name in ["node-a", "node-b", "node-c"] {
        shipped = shipped.replace(&format!("server {name}:8787"), "server 127.0.0.1:8787");
    }
    let check = |config: &str| {
        std::fs::write(dir.path().join("nginx.conf"), config).unwrap();
        let program = crate::support::nginx::program();
        let mut nginx = std::process::Command::new(program);
        let nginx = nginx
            .arg("-t")
            .arg("-p")
            .arg(dir.path())
            .args(["-c", "nginx.conf"]);
        nginx
            .args(["-g", "pid nginx.pid;", "-e", "stderr"])
            .output()
            .unwrap()
    };
    // The path of the process's number is the image's.
    let here = shipped.replace("pid /var/run/nginx.pid;", "");
    let done = check(&here);
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && !said.contains("[warn]"), "{said}");
    assert!(
        !check(&here.replace("least_conn", "last_conn"))
            .status
            .success()
    );
}

fn shipped() -> String {
    std::fs::read_to_string(root().join("docs/cluster/nginx.conf")).unwrap()
}

/// The configuration that is shipped, for these nodes.
fn balancer(nodes: &Nodes) -> Nginx {
    let mut config = shipped();
    let mut replace = |shipped: &str, here: &str| {
        assert!(config.contains(shipped), "{shipped}");
        config = config.replace(shipped, here);
    };
    for (at, name) in ["node-a", "node-b", "node-c"].iter().enumerate() {
        let address = nodes.door(at).base().trim_start_matches("http://");
        replace(&format!("{name}:8787"), address);
    }
    replace("worker_processes auto;", "daemon off; master_process off;");
    replace("error_log /dev/stderr warn;", "error_log stderr warn;");
    replace("pid /var/run/nginx.pid;", "pid nginx.pid;");
    replace("access_log off;", crate::support::nginx::HTTP);
    // Files of this process are fewer than an image's.
    replace("worker_connections 16384;", "worker_connections 256;");
    let listen = "listen 8787;";
    assert!(config.contains(listen));
    Nginx::start(TempDir::new().unwrap(), |port| {
        config.replace(listen, &format!("listen 127.0.0.1:{port};"))
    })
}

fn uri(n: u64) -> String {
    format!("{ANA}/{n}")
}

fn post(door: &Door, n: u64) {
    let note = json!({"type": "Note", "id": uri(n), "attributedTo": ANA, "content": "low tide",
        "published": clock::now().rfc3339(), "to": ["https://www.w3.org/ns/activitystreams#Public"]});
    let create =
        json!({"type": "Create", "id": format!("{}#create", uri(n)), "actor": ANA, "object": note});
    door.post_lines("/v1/activities", &[create.to_string()]);
}

/// Reads what a stream tells until a post is among it.
fn until_told(stream: &mut Stream, n: u64) {
    while !stream.text().to_string().contains(&uri(n)) {}
}

/// The accounts that a node serves.
fn served_by(nodes: &Nodes, name: &str) -> Vec<String> {
    let said = nodes.door(0).get("/v1/nodes").json();
    let shards = said["shards"].as_u64().unwrap();
    let node = said["nodes"].as_array().unwrap().iter();
    let node = node.clone().find(|node| node["node"] == name).unwrap();
    let serves = |account: &String| {
        let shard = slackwater_cluster::shard::AccountHash::of(account).shard(shards as u32);
        node["serves"]
            .as_array()
            .unwrap()
            .contains(&Value::from(shard))
    };
    (0..ACCOUNTS)
        .map(|n| n.to_string())
        .filter(serves)
        .collect()
}

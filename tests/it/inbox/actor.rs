//! An actor of another server: its document, and what it delivers, signed as the fediverse signs.

use super::stand_in::{Says, StandIn, says};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use slackwater::clock;
use slackwater_order::time::Time;
use std::process::Command;
use std::sync::{Arc, LazyLock};

/// The host that the server is known by.
pub(crate) const HOME: &str = "home.example";

/// A pair of keys, PEM, and the key read.
pub(crate) struct Keys {
    pair: RsaKeyPair,
    public: String,
}

impl Keys {
    /// Made by OpenSSL, as those of most servers are.
    fn made() -> Keys {
        let folder = tempfile::TempDir::new().expect("a folder");
        let (private, public) = (folder.path().join("key"), folder.path().join("public"));
        let openssl = |args: &[&str]| {
            let output = Command::new("openssl").args(args).output();
            let output = output.unwrap_or_else(|e| panic!("openssl: {e}: run tests/run"));
            assert!(output.status.success(), "{output:?}");
        };
        let path = |path: &std::path::Path| path.display().to_string();
        let (private_at, public_at) = (path(&private), path(&public));
        openssl(&["genpkey", "-algorithm", "RSA", "-out", &private_at]);
        openssl(&["pkey", "-in", &private_at, "-pubout", "-out", &public_at]);
        let pem = pem::parse(std::fs::read(&private).expect("the key")).expect("PEM");
        Keys {
            pair: RsaKeyPair::from_pkcs8(pem.contents()).expect("a key"),
            public: std::fs::read_to_string(&public).expect("the public key"),
        }
    }

    pub(crate) fn first() -> &'static Keys {
        static KEYS: LazyLock<Keys> = LazyLock::new(Keys::made);
        &KEYS
    }

    pub(crate) fn second() -> &'static Keys {
        static KEYS: LazyLock<Keys> = LazyLock::new(Keys::made);
        &KEYS
    }

    fn sign(&self, text: &str) -> String {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        let random = SystemRandom::new();
        self.pair
            .sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature)
            .expect("a signature");
        STANDARD.encode(signature)
    }
}

/// An actor with a server of its own, which answers with its document.
pub(crate) struct Actor {
    pub(crate) server: StandIn,
    pub(crate) id: String,
    pub(crate) key_id: String,
    keys: Arc<Mutex<&'static Keys>>,
}

/// A delivery: the target, the headers, the body.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Actor {
    pub(crate) fn start(name: &str, keys: &'static Keys) -> Actor {
        let server = StandIn::start(|_| Says::Nothing);
        let id = format!("{}/users/{name}", server.base());
        let actor = Actor {
            key_id: format!("{id}#main-key"),
            id,
            keys: Arc::new(Mutex::new(keys)),
            server,
        };
        actor.is_well();
        actor
    }

    /// Its server answers with its document.
    pub(crate) fn is_well(&self) {
        let (id, key_id) = (self.id.clone(), self.key_id.clone());
        let keys = Arc::clone(&self.keys);
        self.server.answers(move |_| {
            let document = document_of(&id, &key_id, *keys.lock());
            says(200, "application/activity+json", &document)
        });
    }

    /// The same actor at another address, under which its server does not answer.
    pub(crate) fn moved_to(mut self, id: &str) -> Actor {
        self.id = id.to_owned();
        self.key_id = format!("{id}#main-key");
        self
    }

    pub(crate) fn document(&self) -> String {
        document_of(&self.id, &self.key_id, *self.keys.lock())
    }

    /// From here on it signs with these, and its document says so.
    pub(crate) fn changes_its_keys(&self, keys: &'static Keys) {
        *self.keys.lock() = keys;
    }

    /// The URI of its post of this number.
    pub(crate) fn uri(&self, n: u64) -> String {
        format!("{}/posts/{n}", self.id)
    }

    /// A `Create` of its post of this number, written at this time.
    pub(crate) fn create(&self, n: u64, published: Time) -> Value {
        let id = self.uri(n);
        json!({"@context": "https://www.w3.org/ns/activitystreams", "type": "Create", "id": format!("{id}#create"),
            "actor": self.id, "to": ["https://www.w3.org/ns/activitystreams#Public"],
            "object": {"type": "Note", "id": id, "attributedTo": self.id, "content": format!("<p>post {n}</p>"),
                "published": published.rfc3339(), "to": ["https://www.w3.org/ns/activitystreams#Public"]}})
    }

    /// A signed delivery of a post that was written just now.
    pub(crate) fn post(&self, n: u64) -> Delivery {
        let now = clock::now();
        self.signed(&self.create(n, now), now)
    }

    /// An activity signed by this actor at this time, whoever it says that it is by.
    pub(crate) fn signed(&self, activity: &Value, at: Time) -> Delivery {
        let (target, body) = ("/inbox", activity.to_string());
        let moment = chrono::DateTime::from_timestamp_millis(at.millis()).expect("a moment");
        let date = moment.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let digest = format!(
            "SHA-256={}",
            STANDARD.encode(digest(&SHA256, body.as_bytes()))
        );
        let lines = format!(
            "(request-target): post {target}\nhost: {HOME}\ndate: {date}\ndigest: {digest}"
        );
        let signature = format!(
            "keyId=\"{}\",algorithm=\"rsa-sha256\",headers=\"(request-target) host date digest\",signature=\"{}\"",
            self.key_id,
            self.keys.lock().sign(&lines)
        );
        let headers = [
            ("host", HOME.to_owned()),
            ("date", date),
            ("digest", digest),
            ("content-type", "application/activity+json".to_owned()),
            ("signature", signature),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value));
        Delivery {
            target: target.to_owned(),
            headers: headers.to_vec(),
            body,
        }
    }
}

fn document_of(id: &str, key_id: &str, keys: &Keys) -> String {
    let key = json!({"id": key_id, "owner": id, "publicKeyPem": keys.public});
    json!({"id": id, "type": "Person", "inbox": format!("{id}/inbox"), "publicKey": key})
        .to_string()
}

impl Delivery {
    /// The same without a header.
    pub(crate) fn without(mut self, name: &str) -> Delivery {
        self.headers.retain(|(it, _)| it != name);
        self
    }

    /// The same with another body, of the same digest.
    pub(crate) fn with_body(mut self, body: &Value) -> Delivery {
        self.body = body.to_string();
        self
    }
}

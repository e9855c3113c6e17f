//! The document of an actor, as far as its keys go. Pure.

use super::public_key::PublicKey;
use serde_json::Value;

/// The key `key_id` of `actor` in a document that the actor's own host served. None unless the document is the actor's, and says
/// that the key is: that both stand on one host is not enough, since a key may be one person's and the post another's.
pub(super) fn key_of(document: &[u8], actor: &str, key_id: &str) -> Option<PublicKey> {
    let document: Value = serde_json::from_slice(document).ok()?;
    let text = |value: &Value, name: &str| value.get(name)?.as_str().map(str::to_owned);
    if text(&document, "id")? != actor {
        return None;
    }
    let keys = match document.get("publicKey")? {
        Value::Array(keys) => keys.as_slice(),
        key => std::slice::from_ref(key),
    };
    let is_meant = |key: &&Value| {
        let is_named = text(key, "id").is_some_and(|id| id == key_id);
        is_named && text(key, "owner").is_none_or(|owner| owner == actor)
    };
    let key = keys.iter().find(is_meant)?;
    PublicKey::from_pem(key.get("publicKeyPem")?.as_str()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::auth::tests::keys;
    use serde_json::json;

    const ANA: &str = "https://a.example/users/ana";
    const KEY_ID: &str = "https://a.example/users/ana#main-key";

    fn document(id: &str, keys: &Value) -> Vec<u8> {
        json!({"id": id, "type": "Person", "publicKey": keys})
            .to_string()
            .into_bytes()
    }

    /// Were this to fail, somebody could sign as another with a key of their own.
    #[test]
    fn a_key_is_its_actor_s_if_the_actor_s_own_document_says_so() {
        let pem = keys::RSA.1;
        let expected = PublicKey::from_pem(pem);
        assert!(expected.is_some());
        let key = json!({"id": KEY_ID, "owner": ANA, "publicKeyPem": pem});
        let other = json!({"id": "https://a.example/users/ana#other", "owner": ANA, "publicKeyPem": keys::ED25519.1});
        let found = |document: &[u8]| key_of(document, ANA, KEY_ID);
        for keys in [
            key.clone(),
            json!({"id": KEY_ID, "publicKeyPem": pem}),
            json!([other, key]),
            json!({"id": KEY_ID, "owner": ANA, "publicKeyPem": pem.replace('\n', "\r\n")}),
        ] {
            assert_eq!(found(&document(ANA, &keys)), expected, "{keys}");
        }
        for keys in [
            other.clone(),
            json!(null),
            json!(KEY_ID),
            json!([]),
            json!({"id": KEY_ID, "owner": "https://a.example/users/bob", "publicKeyPem": pem}),
            json!({"id": KEY_ID, "owner": ANA, "publicKeyPem": "none"}),
            json!({"id": KEY_ID, "owner": ANA, "publicKeyPem": keys::RSA.0}),
            json!({"id": KEY_ID, "owner": ANA}),
        ] {
            assert_eq!(found(&document(ANA, &keys)), None, "{keys}");
        }
        assert_eq!(found(&document("https://a.example/users/bob", &key)), None);
        assert_eq!(found(b"no JSON"), None);
    }
}

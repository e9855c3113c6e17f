use super::*;
use crate::clock;
use jsonwebtoken::{Algorithm as Alg, EncodingKey, Header, encode};
use serde_json::{Value, json};
use slackwater_engine::feed::feed_id::PublicPart;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn options() -> jwt::Options {
    jwt::Options {
        algorithm: jwt::Algorithm::Hs256,
        key: Secret::new(SECRET),
        issuer: Some("https://social.example".to_owned()),
        audience: Some("slackwater".to_owned()),
    }
}

fn auth() -> Auth {
    Auth {
        service_tokens: vec![
            Secret::new("first-first-first"),
            Secret::new("other-other-other"),
        ],
        jwt: Some(Jwt::new(&options()).unwrap()),
        ..Auth::default()
    }
}

fn token(text: &str) -> Token {
    Token::new(text).unwrap()
}

async fn caller(auth: &Auth, text: &str) -> Result<Caller, TokenError> {
    auth.caller(Some(&token(text)), None).await
}

/// What a good token says, `seconds` before it ends.
fn claims(seconds: i64) -> Value {
    let exp = clock::now().millis() / 1000 + seconds;
    json!({"sub": "7", "scope": "read write:accounts", "exp": exp, "iss": "https://social.example",
        "aud": "slackwater"})
}

fn signed(claims: &Value, algorithm: Alg, key: &[u8]) -> String {
    encode(
        &Header::new(algorithm),
        claims,
        &EncodingKey::from_secret(key),
    )
    .unwrap()
}

fn good(claims: &Value) -> String {
    signed(claims, Alg::HS256, SECRET.as_bytes())
}

#[tokio::test]
async fn only_a_service_token_makes_the_backend() {
    let auth = auth();
    for known in ["first-first-first", "other-other-other"] {
        assert_eq!(caller(&auth, known).await, Ok(Caller::Backend));
    }
    for bad in [
        "first-first-firs",
        "first-first-first2",
        "FIRST-FIRST-FIRST",
    ] {
        assert_eq!(caller(&auth, bad).await, Err(TokenError::Invalid), "{bad}");
    }
    assert_eq!(auth.caller(None, None).await, Ok(Caller::Anyone));
}

#[tokio::test]
async fn without_tokens_every_caller_is_the_backend() {
    assert_eq!(
        Auth::default().caller(None, None).await,
        Ok(Caller::Backend)
    );
    // Who shows a token means to be somebody.
    assert_eq!(
        caller(&Auth::default(), "x").await,
        Err(TokenError::Invalid)
    );
}

#[tokio::test]
async fn a_signed_token_makes_one_account() {
    let now = clock::now();
    let minted = jwt::mint(
        &options(),
        &Secret::new(SECRET),
        "7",
        "read",
        now,
        Duration::from_secs(60),
    );
    let Ok(Caller::User(user)) = caller(&auth(), &minted.unwrap()).await else {
        panic!("no user");
    };
    assert_eq!(
        (user.account.as_str(), &user.scopes),
        ("7", &Scopes::parse("read"))
    );
    let left = user.expires.unwrap().since(now);
    assert!((58_000..=60_000).contains(&left), "{left}");
}

/// A failure means that somebody reads what is not theirs.
#[tokio::test]
async fn a_token_that_is_wrong_in_any_way_is_refused() {
    let auth = auth();
    let with = |key: &str, value: Value| {
        let mut claims = claims(60);
        claims[key] = value;
        claims
    };
    let without = |key: &str| {
        let mut claims = claims(60);
        claims.as_object_mut().unwrap().remove(key);
        claims
    };
    assert!(caller(&auth, &good(&claims(60))).await.is_ok());
    let listed = with("aud", json!(["other", "slackwater"]));
    assert!(caller(&auth, &good(&listed)).await.is_ok());
    assert!(
        caller(&auth, &good(&claims(-2))).await.is_ok(),
        "clocks may differ so much"
    );

    let unsigned = {
        use base64::Engine;
        let part =
            |it: &Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(it.to_string());
        let header = |alg: &str| part(&json!({"alg": alg, "typ": "JWT"}));
        ["none", "None", "NONE"].map(|alg| format!("{}.{}.", header(alg), part(&claims(60))))
    };
    let (head, rest) = good(&claims(60))
        .split_once('.')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let (_, signature) = rest.split_once('.').unwrap();
    let other_claims = good(&with("sub", json!("8")));
    let (_, other_rest) = other_claims.split_once('.').unwrap();
    let (other_body, _) = other_rest.split_once('.').unwrap();
    let mut bad = vec![
        ("ended", good(&claims(-7))),
        ("another key", signed(&claims(60), Alg::HS256, &[7; 32])),
        (
            "another algorithm",
            signed(&claims(60), Alg::HS512, SECRET.as_bytes()),
        ),
        ("another's body", format!("{head}.{other_body}.{signature}")),
        ("no signature", format!("{head}.{other_body}.")),
        ("another audience", good(&with("aud", json!("other")))),
        (
            "another issuer",
            good(&with("iss", json!("https://evil.example"))),
        ),
        (
            "not yet",
            good(&with("nbf", json!(clock::now().millis() / 1000 + 60))),
        ),
        ("no number", good(&with("exp", json!("never")))),
    ];
    bad.extend(unsigned.map(|it| ("unsigned", it)));
    for key in ["sub", "exp", "scope", "aud", "iss"] {
        bad.push((key, good(&without(key))));
    }
    for (what, bad) in bad {
        assert_eq!(
            caller(&auth, &bad).await,
            Err(TokenError::Invalid),
            "{what}"
        );
    }
}

/// A failure means that anyone with the public key can make tokens, because it is taken for a shared secret.
#[tokio::test]
async fn a_public_key_is_no_secret_to_sign_with() {
    let (private, public) = keys::ED25519;
    let options = jwt::Options {
        algorithm: jwt::Algorithm::EdDsa,
        key: Secret::new(public),
        ..options()
    };
    let auth = Auth {
        jwt: Some(Jwt::new(&options).unwrap()),
        ..auth()
    };
    let forged = signed(&claims(60), Alg::HS256, public.as_bytes());
    assert_eq!(caller(&auth, &forged).await, Err(TokenError::Invalid));
    let now = clock::now();
    let minted = jwt::mint(
        &options,
        &Secret::new(private),
        "7",
        "read",
        now,
        Duration::from_secs(60),
    );
    assert!(caller(&auth, &minted.unwrap()).await.is_ok());
}

#[tokio::test]
async fn tokens_signed_with_rsa_are_read() {
    let (private, public) = keys::RSA;
    let options = jwt::Options {
        algorithm: jwt::Algorithm::Rs256,
        key: Secret::new(public),
        ..options()
    };
    let auth = Auth {
        jwt: Some(Jwt::new(&options).unwrap()),
        ..auth()
    };
    let now = clock::now();
    let minted = jwt::mint(
        &options,
        &Secret::new(private),
        "7",
        "read",
        now,
        Duration::from_secs(60),
    );
    let minted = minted.unwrap();
    assert!(caller(&auth, &minted).await.is_ok());
    let (rest, _) = minted.rsplit_once('.').unwrap();
    assert_eq!(
        caller(&auth, &format!("{rest}.AAAA")).await,
        Err(TokenError::Invalid)
    );
}

#[test]
fn a_scope_is_within_its_whole() {
    let scopes = Scopes::parse("read write:accounts");
    for (scope, expected) in [
        ("read", true),
        ("read:lists", true),
        ("write:accounts", true),
        ("write", false),
        ("write:lists", false),
        ("readable", false),
        ("", false),
    ] {
        assert_eq!(scopes.has(scope), expected, "{scope}");
    }
}

#[test]
fn everybody_reads_their_own_and_nobody_elses() {
    let auth = auth();
    let user = |scope: &str| {
        Caller::User(User {
            account: "7".to_owned(),
            scopes: Scopes::parse(scope),
            expires: None,
        })
    };
    let of = |account: &str| FeedRef::of_account(account, "home").unwrap();
    let list = |account: &str| FeedRef::of_account(account, "list:1").unwrap();
    let public = |reader: Option<&str>| FeedRef::Public {
        part: PublicPart::All,
        reader: reader.map(str::to_owned),
    };
    let refused = |auth: &Auth, caller: &Caller, feed_ref: FeedRef| {
        auth.may_read(caller, &feed_ref)
            .err()
            .map(|problem| problem.status)
    };
    let read = user("read");
    assert_eq!(refused(&auth, &read, of("7")), None);
    assert_eq!(refused(&auth, &read, list("7")), None);
    assert_eq!(refused(&auth, &read, public(None)), None);
    assert_eq!(refused(&auth, &read, public(Some("7"))), None);
    for feed_ref in [of("8"), list("8"), public(Some("8")), of("70")] {
        assert_eq!(
            refused(&auth, &read, feed_ref.clone()),
            Some(403),
            "{feed_ref:?}"
        );
        assert_eq!(refused(&auth, &Caller::Backend, feed_ref), None);
    }
    assert_eq!(refused(&auth, &user("read:lists"), of("7")), Some(403));
    assert_eq!(refused(&auth, &user("read:lists"), list("7")), None);
    assert_eq!(refused(&auth, &user("write follow"), of("7")), Some(403));
    for feed_ref in [of("7"), list("7"), public(None)] {
        assert_eq!(refused(&auth, &Caller::Anyone, feed_ref), Some(401));
    }
    let open = Auth {
        public_feeds_open: true,
        ..self::auth()
    };
    assert_eq!(refused(&open, &Caller::Anyone, public(None)), None);
    assert_eq!(
        refused(&open, &Caller::Anyone, public(Some("7"))),
        Some(401)
    );
    assert_eq!(refused(&open, &Caller::Anyone, of("7")), Some(401));

    let set = |caller: &Caller, account: &str| {
        let refused = auth.may_set(caller, account, "write:accounts");
        refused.err().map(|problem| problem.status)
    };
    assert_eq!(set(&user("write"), "7"), None);
    assert_eq!(set(&user("write"), "8"), Some(403));
    assert_eq!(set(&user("read"), "7"), Some(403));
    assert_eq!(set(&Caller::Anyone, "7"), Some(401));
    assert_eq!(set(&Caller::Backend, "8"), None);
    let backend = |caller: &Caller| auth.is_backend(caller).err().map(|it| it.status);
    assert_eq!(backend(&Caller::Backend), None);
    assert_eq!(backend(&user("read write admin")), Some(403));
    assert_eq!(backend(&Caller::Anyone), Some(401));
}

pub(crate) mod keys;

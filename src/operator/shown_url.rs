//! Addresses as people may be shown them.

use url::Url;

/// An address without the name, the password and the query that may stand in it.
pub fn without_user(url: &Url) -> String {
    let mut url = url.clone();
    // Only a URL without a host refuses this, and has none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_secret_is_shown() {
        let url = Url::parse("https://ana:secret@auth.example/introspect?key=secret").unwrap();
        assert_eq!(without_user(&url), "https://auth.example/introspect");
    }
}

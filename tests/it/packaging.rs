//! How the service is installed, as far as it can be held without a container engine or a running systemd: what the image is built from, the
//! configuration in it, the unit, and what the Debian package holds; and what makes an installation need nothing prepared: settings by
//! the environment, and a token that is made.

use crate::support::document::root;
use crate::support::instance::{self, Around, Instance, binary};
use crate::support::wait_for;
use reqwest::Method;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const UNIT: &str = "debian/slackwater.service";

/// A failure means that an image cannot be built, or is built anew for a word in the README.
#[test]
fn the_image_is_built_from_the_manifests_then_from_what_the_binary_is_made_of_and_from_nothing_else()
 {
    let dockerfile = read("Dockerfile");
    let copies: Vec<&str> = copies(&dockerfile).collect();
    for source in &copies {
        assert!(root().join(source).exists(), "{source}");
        assert!(reaches_the_builder(source), "{source} is in .dockerignore");
    }
    // All manifests come before the first build, and nothing else does.
    let (dependencies, rest) = dockerfile.split_once("cargo build").unwrap();
    let manifests: BTreeSet<String> = self::copies(dependencies).map(str::to_owned).collect();
    let workspace: toml::Table = read("Cargo.toml").parse().unwrap();
    let members = workspace["workspace"]["members"].as_array().unwrap().iter();
    let mut expected: BTreeSet<String> = members
        .map(|member| format!("{}/Cargo.toml", member.as_str().unwrap()))
        .collect();
    expected.extend(["Cargo.toml", "Cargo.lock"].map(str::to_owned));
    assert_eq!(manifests, expected);
    assert_eq!(
        self::copies(rest).collect::<Vec<_>>(),
        ["slackwater.toml", "crates", "src"]
    );
    // What the binary includes is among that.
    let mut included = 0;
    for file in files_below(&root().join("src")).chain(files_below(&root().join("crates"))) {
        let Some(text) = file
            .extension()
            .filter(|it| *it == "rs")
            .map(|_| std::fs::read_to_string(&file).unwrap())
        else {
            continue;
        };
        for rest in text
            .split("include_")
            .skip(1)
            .filter(|_| !file.ends_with("tests.rs"))
        {
            let Some(path) = rest.split('"').nth(1).filter(|_| rest.contains("!(\"")) else {
                continue;
            };
            let path = file.parent().unwrap().join(path);
            let Ok(path) = path.canonicalize() else {
                continue;
            };
            let path = path.strip_prefix(root()).unwrap().to_owned();
            let is_copied = copies.iter().any(|source| path.starts_with(source));
            assert!(
                is_copied && reaches_the_builder(path.to_str().unwrap()),
                "{}",
                path.display()
            );
            included += 1;
        }
    }
    assert!(10 <= included, "{included} files");
    for other in [
        "README.md",
        "docs/api.md",
        "tests/it/main.rs",
        "CHANGELOG.md",
        "crates/order/README.md",
        ".git/HEAD",
        ".env",
    ] {
        assert!(!reaches_the_builder(other), "{other}");
    }
}

#[test]
fn the_image_has_a_configuration_that_is_accepted_and_needs_nothing_prepared() {
    let dockerfile = read("Dockerfile");
    let (_, config) = dockerfile
        .split_once("COPY <<EOF /etc/slackwater/slackwater.toml\n")
        .unwrap();
    let (config, after) = config.split_once("\nEOF\n").unwrap();
    // And it is the one that is served with.
    let command = "CMD [\"serve\", \"--config\", \"/etc/slackwater/slackwater.toml\"]";
    assert!(after.contains(command), "{after}");
    // In the volume, so that another container has the same token.
    assert!(
        config.contains("made:/var/lib/slackwater/data/")
            && after.contains("VOLUME /var/lib/slackwater/data\n")
    );
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("slackwater.toml");
    std::fs::write(&file, config).unwrap();
    let checked = Command::new(binary())
        .arg("check")
        .arg(&file)
        .output()
        .unwrap();
    assert!(checked.status.success(), "{checked:?}");
}

/// A failure means that a container that is started again has another token, or that nobody gets to know it.
#[test]
fn a_token_that_is_to_be_made_is_shown_at_the_first_start_alone_and_is_the_backends() {
    let dir = TempDir::new().unwrap();
    let config = instance::built_in("[auth]\nservice_tokens = [\"made:secrets/token\"]\n");
    let mut instance = Instance::start(dir.path(), &config);
    let file = dir.path().join("secrets/token");
    let token = std::fs::read_to_string(&file).unwrap().trim().to_owned();
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let said = instance.said();
    let shown: Vec<&str> = said
        .lines()
        .take_while(|line| !line.starts_with('{'))
        .collect();
    assert_eq!(
        shown,
        [
            "slackwater: made a token for backends, kept in secrets/token and shown only now:",
            &token
        ]
    );
    assert_eq!(said.matches(&token).count(), 1, "{said}");
    let status = |instance: &Instance, token: &str| {
        let asked = instance
            .door
            .request(Method::GET, "/metrics")
            .bearer_auth(token);
        asked.send().unwrap().status().as_u16()
    };
    assert_eq!(
        (
            status(&instance, &token),
            status(&instance, "another-token-altogether")
        ),
        (200, 401)
    );
    instance.restart();
    assert!(!instance.said().contains(&token));
    assert_eq!(status(&instance, &token), 200);
}

/// A failure means that a container can be configured by a file alone, or that a saved file undoes its environment.
#[test]
fn the_environment_configures_it_with_and_without_a_file_also_when_that_is_read_again() {
    let dir = TempDir::new().unwrap();
    let around = Around {
        environment: [
            ("SLACKWATER__ORDERING__PATIENCE", "1m"),
            ("SLACKWATER__FEED__LENGTH", "123"),
        ]
        .map(|(name, value)| (name.to_owned(), value.into()))
        .into(),
        ..Around::default()
    };
    let config = instance::built_in("length = 7\n[ordering]\npatience = \"2m\"\n");
    let instance = Instance::start_within(dir.path(), &config, around);
    let account = r#"{"type":"account","account":"7","actor":"https://me.example/users/me"}"#;
    instance
        .door
        .post_lines("/v1/relationships", &[account.to_owned()]);
    let patience = || instance.door.get("/v1/accounts/7/ordering").json()["patience"].clone();
    assert_eq!(patience(), "1m");
    let said = instance.said();
    assert!(
        said.contains(
            "the environment has SLACKWATER__FEED__LENGTH, SLACKWATER__ORDERING__PATIENCE"
        ),
        "{said}"
    );
    // Read again, the file has other words, and the environment the last one.
    std::fs::write(
        instance.config(),
        config.replace("2m", "3m").replace("= 7", "= 8")
            + "late = \"reorder\"\nclock_skew = \"1m\"\n",
    )
    .unwrap();
    wait_for("the file to be read again", || {
        (instance
            .door
            .metric("slackwater_config_reloads_total{outcome=\"taken_over\"}")
            == 1.0)
            .then_some(())
    });
    assert_eq!(patience(), "1m");
    assert_eq!(
        instance.door.metric("slackwater_config_restart_needed"),
        0.0
    );
    // Without a file, and with slips.
    let elsewhere = TempDir::new().unwrap();
    let serve = |name: &str, value: &str| {
        let mut serve = Command::new(binary());
        serve
            .arg("serve")
            .current_dir(elsewhere.path())
            .env(name, value);
        serve.output().unwrap()
    };
    let refused = |output: &Output, told: &str| {
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(told), "{said}");
    };
    refused(
        &serve("SLACKWATER__HTTP__LISTEM", "127.0.0.1:0"),
        "SLACKWATER__HTTP__LISTEM: http.listem: found an unknown key",
    );
    refused(
        &serve("SLACKWATER__HTTP__LISTEN", "0.0.0.0:0"),
        "SLACKWATER__HTTP__LISTEN: http.listen: found \"0.0.0.0:0\", where anyone could act as the backend",
    );
}

/// A failure means that systemd takes the unit by half, or starts what the package does not install.
#[test]
fn the_unit_is_as_systemd_has_them_and_starts_what_the_package_installs() {
    let unit = read(UNIT);
    let installed = installed();
    let line = |name: &str| {
        let line = unit.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name}"))
    };
    let start: Vec<&str> = line("ExecStart=").split(' ').collect();
    let ["/usr/bin/slackwater", "serve", "--config", config] = start[..] else {
        panic!("{start:?}")
    };
    assert!(installed.contains("usr/bin/slackwater"), "{installed:?}");
    assert!(
        installed.contains(config.trim_start_matches('/')),
        "{installed:?}"
    );
    // With a program that is there, nothing is to be found fault with.
    let dir = TempDir::new().unwrap();
    let here = unit.replace("/usr/bin/slackwater", binary().to_str().unwrap());
    let check = |text: &str| {
        let file = dir.path().join("slackwater.service");
        std::fs::write(&file, text).unwrap();
        let done = Command::new("systemd-analyze")
            .arg("verify")
            .arg(&file)
            .output();
        let done = done.expect("systemd-analyze, which tests/run installs");
        String::from_utf8_lossy(&done.stderr).into_owned()
    };
    assert_eq!(check(&here), "");
    assert!(check(&here.replace("ProtectHome=", "ProtectHomes=")).contains("ProtectHomes"));
}

#[test]
fn the_debian_package_names_files_that_are_there_or_are_made_by_its_script() {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let deb = &manifest["package"]["metadata"]["deb"];
    let script = read("debian/build");
    for asset in deb["assets"].as_array().unwrap() {
        let source = asset[0].as_str().unwrap();
        // All files of a folder are made by what makes the folder.
        let source = source.trim_end_matches("/*.1");
        let is_there = root().join(source).exists();
        let is_made = source == "target/release/slackwater"
            || script.contains(source.rsplit('/').next().unwrap());
        assert!(is_there || is_made, "{source}");
    }
    let installed = installed();
    for file in deb["conf-files"].as_array().unwrap() {
        let file = file.as_str().unwrap().trim_start_matches('/');
        assert!(installed.contains(file), "{file}");
    }
    assert!(
        root()
            .join(deb["systemd-units"]["unit-scripts"].as_str().unwrap())
            .join("slackwater.service")
            .exists()
    );
    for name in ["build", "postinst", "postrm"] {
        let path = root().join("debian").join(name);
        let checked = Command::new("sh").arg("-n").arg(&path).output().unwrap();
        assert!(checked.status.success(), "{name}: {checked:?}");
    }
}

/// The files that the Debian package puts in place, from the root.
fn installed() -> BTreeSet<String> {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let assets = manifest["package"]["metadata"]["deb"]["assets"]
        .as_array()
        .unwrap();
    let assets = assets.iter().map(|asset| {
        let [source, target] = [&asset[0], &asset[1]].map(|it| it.as_str().unwrap());
        match target.ends_with('/') {
            true => format!("{target}{}", source.rsplit('/').next().unwrap()),
            false => target.to_owned(),
        }
    });
    assets.collect()
}

/// What a Dockerfile copies out of the checkout.
fn copies(dockerfile: &str) -> impl Iterator<Item = &str> {
    let lines = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "));
    let lines = lines.filter(|line| !line.starts_with("<<") && !line.starts_with("--from"));
    lines.flat_map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        words[..words.len() - 1].to_vec()
    })
}

/// Whether .dockerignore lets a path through: the last line that fits decides, and `!` lets through.
fn reaches_the_builder(path: &str) -> bool {
    let rules = read(".dockerignore");
    let rules = rules
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let fits = |pattern: &str| {
        let mut parts = path.split('/');
        pattern
            .split('/')
            .all(|it| parts.next().is_some_and(|part| it == "*" || it == part))
    };
    let decides = |reaches: bool, rule: &str| match rule.strip_prefix('!') {
        Some(pattern) if fits(pattern) => true,
        None if fits(rule) => false,
        _ => reaches,
    };
    rules.fold(true, decides)
}

fn files_below(folder: &Path) -> Box<dyn Iterator<Item = PathBuf>> {
    let found = std::fs::read_dir(folder)
        .unwrap()
        .map(|it| it.unwrap().path());
    Box::new(found.flat_map(|path| match path.is_dir() {
        true => files_below(&path),
        false => Box::new(std::iter::once(path)),
    }))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

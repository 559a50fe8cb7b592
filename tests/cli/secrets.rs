//! What was reviewed is not kept, and secrets are shown nowhere.

use std::{fs, path::Path};

use serde_json::json;

use crate::harness::{
    home::{Home, memory_holds},
    process::run,
    wire::Wire,
};

/// Every regular file below `folder` that holds `needle`.
fn holding(folder: &Path, needle: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            // A daemon that ends removes its socket.
            let Ok(metadata) = fs::symlink_metadata(&path) else {
                continue;
            };
            let kind = metadata.file_type();
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_file() {
                let bytes = fs::read(&path).expect("a file");
                if memory_holds(&bytes, needle.as_bytes()) {
                    found.push(path.display().to_string());
                }
            }
        }
    }
    found
}

/// Secrets by what they begin with; put together here, so that no scanner takes this file for a
/// leak.
fn secrets() -> Vec<String> {
    vec![
        ["AKIA", "Q3EGVX7WZK2MPLRT"].concat(),
        ["sk-ant-", "api03-", &"kT9xQ2mZ".repeat(11), "-uVwXyZAA"].concat(),
        [
            "xoxb-",
            "2847563920-",
            "4958372615243-",
            "pQ7rS9tU2vW4xY6zA8bC0dE1",
        ]
        .concat(),
        ["glpat-", "Zx8Kq2Lm9Rt4Wv7Yc3Nb"].concat(),
        ["hV7kPq2z", "XsR9mT4wLc8N", "bD3fGj6Y"].concat(),
        ["Wq8rTy2u", "Zx5cVb7nMk4j"].concat(),
    ]
}

fn diff(secrets: &[String]) -> String {
    let [aws, anthropic, slack, gitlab, password, in_url] = secrets else {
        panic!("six secrets");
    };
    let lines = [
        format!("aws_access_key_id = \"{aws}\""),
        format!("client = Client(api_key=\"{anthropic}\")"),
        format!("SLACK = \"{slack}\""),
        format!("GITLAB_TOKEN = \"{gitlab}\""),
        format!("db_password = \"{password}\""),
        format!("URL = \"https://app:{in_url}@db.internal.example.net/x\""),
        "harmless_line_that_no_rule_finds = 4711".to_owned(),
        format!("both = requests.get(u, verify=False, auth=(\"a\", \"{password}\"))"),
    ];
    let mut text = format!(
        "--- a/app/settings.py\n+++ b/app/settings.py\n@@ -1 +1,{} @@\n import requests\n",
        lines.len() + 1
    );
    for line in lines {
        text.push_str(&format!("+{line}\n"));
    }
    text
}

#[test]
fn secrets_are_masked_everywhere_and_the_diff_is_not_kept() {
    let home = Home::new();
    let folder = home.folder("w");
    let secrets = secrets();
    let diff = diff(&secrets);
    let config = home.convergio().join("config");
    fs::create_dir_all(&config).expect("a folder");
    fs::write(config.join("config.toml"), "[log]\nlevel = \"trace\"\n").expect("a file");
    let mut shown = Vec::new();
    for format in [
        "text", "md", "json", "ndjson", "sarif", "rdjson", "rdjsonl", "github", "vim",
    ] {
        let ran = home.cv_with_input(
            &folder,
            &["review", "-v", "--format", format],
            diff.as_bytes(),
        );
        assert_eq!(ran.code, Some(0), "{ran:?}");
        shown.push((format, ran));
    }
    shown.push(("replay", home.cv(&folder, &["review", "--replay", "-v"])));
    shown.push(("logs", home.cv(&folder, &["logs", "-n", "500"])));
    shown.push((
        "broken",
        home.cv_with_input(
            &folder,
            &["review", "--rules", &secrets[0]],
            diff.as_bytes(),
        ),
    ));
    for (what, ran) in &shown {
        for secret in &secrets {
            assert!(
                !ran.out.contains(secret) && !ran.err.contains(secret) || *what == "broken",
                "{what} shows a secret: {ran:?}"
            );
        }
    }
    let found: usize = secrets
        .iter()
        .filter(|secret| shown[0].1.out.contains(&format!("{}…", &secret[..4])))
        .count();
    assert!(
        found >= 5,
        "only {found} secrets were found:\n{}",
        shown[0].1.out
    );

    // Calls that fail tell of what was wrong, not of what was in it.
    let mut wire = Wire::open(&home);
    for params in [
        json!({"run_id": "x", "diff": secrets[0]}),
        json!({"run_id": secrets[0]}),
        json!({"run_id": crate::harness::wire::new_id(), "diff": {"encoding": "gzip", "data": secrets[0]}, "root": "/x", "selection": "stdin"}),
    ] {
        assert!(wire.error_code("review.start", params) < 0);
    }
    home.cv(&folder, &["stop"]);
    for secret in &secrets {
        assert_eq!(
            holding(home.everything(), secret),
            [""; 0],
            "a secret was written"
        );
    }
    let stored = holding(home.everything(), "harmless_line_that_no_rule_finds");
    assert_eq!(stored, [""; 0], "the diff was stored");
}

#[test]
fn an_ephemeral_review_leaves_no_content() {
    let home = Home::new();
    let folder = home.folder("w");
    let ran = home.cv_with_input(
        &folder,
        &["review", "--ephemeral"],
        crate::harness::diffs::SMALL.as_bytes(),
    );
    assert!(ran.out.contains("pay/client.py:5"), "{ran:?}");
    home.cv(&folder, &["stop"]);
    for content in ["pay/client.py", "verify=False"] {
        assert_eq!(
            holding(home.everything(), content),
            [""; 0],
            "{content} was kept"
        );
    }
    let runs = home.cv(&folder, &["runs"]);
    assert!(runs.out.contains("completed"), "{runs:?}");
}

#[test]
fn keys_of_the_environment_stay_with_the_caller() {
    let home = Home::new();
    let folder = home.folder("w");
    let canary = ["canary", "-of-the-environment"].concat();
    let mut command = home.cv_command(&folder, &["review", "--local-only"]);
    command
        .env("ANTHROPIC_API_KEY", &canary)
        .env("OPENAI_API_KEY", &canary);
    let ran = run(&mut command, crate::harness::diffs::SMALL.as_bytes());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(holding(home.everything(), &canary), [""; 0]);
}

//! The words of each prompt, as committed; `UPDATE_GENERATED=1` rewrites them.

use std::{fs, path::Path, sync::Arc};

use convergio_review::model::{Call, Limits, Part, Pass, Prompt};

use super::{MEAN, all_stand, claim, driven, many_files, planned, reply, settings};

fn compare(name: &str, prompt: &Prompt) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/model/golden")
        .join(name);
    let text = format!(
        "{}\n----- user -----\n{}\n----- {} within {} tokens\n",
        prompt.system, prompt.user, prompt.schema_name, prompt.max_output_tokens
    );
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "{name}: if this is meant: UPDATE_GENERATED=1\n{text}"
    );
}

#[test]
fn both_passes_are_asked_as_committed() {
    let mut settings = settings();
    settings.focus = Some("arithmetic".to_owned());
    settings.commit_text = Some("Use the count twice\n\nIt was counted once.".to_owned());
    driven(planned(MEAN, &settings), |call, prompt| {
        assert!(prompt.schema.is_some());
        match call.pass {
            Pass::Find => {
                compare("find.txt", prompt);
                reply(&[claim(
                    "src/stats.rs",
                    13,
                    "let mean = sum / count;",
                    "Division by zero for no samples",
                )])
                .into()
            }
            Pass::Argue => {
                compare("argue.txt", prompt);
                all_stand().into()
            }
        }
    });
}

#[test]
fn the_pass_across_files_is_asked_as_committed() {
    let mut settings = settings();
    settings.limits = Limits::new(7_000, Arc::new(|text: &str| text.len() as u64));
    settings.limits.max_output_tokens = 512;
    let synthesis = Call {
        part: Part::Synthesis,
        pass: Pass::Find,
    };
    let mut seen = false;
    driven(planned(&many_files(20), &settings), |call, prompt| {
        if call == synthesis {
            seen = true;
            compare("across.txt", prompt);
        }
        match (call.part, call.pass) {
            (_, Pass::Argue) => all_stand().into(),
            (Part::Chunk(0), Pass::Find) => reply(&[claim(
                "src/part0.rs",
                4,
                "let half = x / 0;",
                "Division by zero",
            )])
            .into(),
            _ => super::NOTHING.into(),
        }
    });
    assert!(seen, "more than one chunk asks for a pass across files");
}

//! `cv allow --list` and `cv allow --remove`: what the daemon recorded, and what stands in
//! `.convergio/review.toml`.

use std::path::Path;

use convergio_client::Client;
use convergio_contract::{
    Uuid,
    review::{
        RecordedSilence, ReviewAllowParams, ReviewSilences, ReviewSilencesParams,
        ReviewSilencesResponse, ReviewUnallow, ReviewUnallowParams,
    },
    undo::{UndoFile, UndoPutParams},
};

use super::{allow, fix, latest};
use crate::{
    context::Context,
    daemon::{self, Start},
    edit::{Place, place::Found, sha256},
    error::{Failure, Kind},
    exit::Exit,
    git::selection::SILENCES_PATH,
    hint::Hint,
    local_time,
    output::{escape, paint::Role},
    table::{Format, Table, cell, show, styled},
    wire,
};

/// How many digits of a fingerprint tell it from others to a person.
const SHORT_DIGITS: usize = 12;
/// Fewer digits of a fingerprint are a slip rather than a name.
const PREFIX_MIN_DIGITS: usize = 4;

fn recorded(
    root: String,
    prefix: Option<String>,
    context: &mut Context,
) -> Result<ReviewSilencesResponse, Failure> {
    let params = ReviewSilencesParams {
        root,
        prefix,
        limit: None,
    };
    daemon::call(
        context,
        Start::IfNeeded,
        "asking what is silenced",
        |client: Client| async move { client.call::<ReviewSilences>(&params).await },
    )
}

/// Prints what the daemon recorded for this folder.
pub fn list(format: Format, context: &mut Context) -> Result<Exit, Failure> {
    let (_, root) = latest::root(context)?;
    let listed = recorded(root, None, context)?;
    if listed.silences.is_empty() && matches!(format, Format::Text | Format::Md) {
        context.answer.say(
            "Nothing is silenced here by `cv allow`. Silence finding N: `cv allow N \"why\"`",
        )?;
        return Ok(Exit::Ok);
    }
    let row = |silence: &RecordedSilence| {
        let short = silence.fingerprint.get(..SHORT_DIGITS);
        vec![
            styled(short.unwrap_or(&silence.fingerprint), Role::Strong),
            cell(local_time(silence.created_ms)),
            cell(silence.rule.as_str()),
            cell(silence.reason.as_str()),
        ]
    };
    let table = Table {
        headers: vec!["fingerprint", "since", "rule", "why"],
        rows: listed.silences.iter().map(row).collect(),
    };
    show(
        &mut context.answer,
        format,
        &table,
        &listed,
        Some(("silences", "silence")),
    )?;
    let shown = listed.silences.len();
    if shown < listed.total as usize {
        context
            .notes
            .note(&format!("The newest {shown} of {}.", listed.total));
    }
    Ok(Exit::Ok)
}

/// Ends one: in the file, and at the daemon.
pub fn remove(prefix: &str, context: &mut Context) -> Result<Exit, Failure> {
    let prefix = prefix.to_ascii_lowercase();
    if prefix.len() < PREFIX_MIN_DIGITS || !prefix.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Failure::new(
            Kind::Usage,
            "This is no fingerprint",
            format!("it takes {PREFIX_MIN_DIGITS} or more of its hexadecimal digits"),
            Hint::ALLOW_LIST,
        ));
    }
    let (root, root_text) = latest::root(context)?;
    let silences = recorded(root_text.clone(), Some(prefix.clone()), context)?.silences;
    let file = SilencesFile::read(&root)?;
    let mut found: Vec<(String, String)> = silences
        .iter()
        .map(|silence| (silence.fingerprint.clone(), silence.rule.clone()))
        .collect();
    for [fingerprint, rule, _] in allow::silences_in(&file.text)? {
        let known = found.iter().any(|(known, _)| *known == fingerprint);
        if fingerprint.starts_with(&prefix) && !known {
            found.push((fingerprint, rule));
        }
    }
    let [(fingerprint, rule)] = found.as_slice() else {
        return Err(if found.is_empty() {
            Failure::new(
                Kind::NotFound,
                format!("No silence begins with {prefix}"),
                format!("neither the daemon nor {SILENCES_PATH} has one in this folder"),
                Hint::ALLOW_LIST,
            )
        } else {
            Failure::new(
                Kind::Usage,
                format!("{} silences begin with {prefix}", found.len()),
                "one more digit or two tell them apart",
                Hint::ALLOW_LIST,
            )
        });
    };
    let ended = silences.into_iter().next();
    end(fingerprint, ended, &root_text, &file, context)?;
    fix::done(
        &format!(
            "No longer silenced: {} {}",
            escape::line(fingerprint.get(..SHORT_DIGITS).unwrap_or(fingerprint)),
            escape::line(rule)
        ),
        context,
    )?;
    Ok(Exit::Ok)
}

fn end(
    fingerprint: &str,
    ended: Option<RecordedSilence>,
    root: &str,
    file: &SilencesFile,
    context: &mut Context,
) -> Result<(), Failure> {
    let (after, removed) = allow::without_silence(&file.text, fingerprint)?;
    let changed = file.place.as_ref().filter(|_| removed > 0);
    let mut files = Vec::new();
    if let (Some(place), Some(found)) = (changed, &file.found) {
        files.push(UndoFile {
            path: place.text()?,
            before: Some(wire::blob(found.bytes.clone(), "The file of silences")?),
            after_sha256: sha256(after.as_bytes()),
        });
    }
    let short = fingerprint.get(..SHORT_DIGITS).unwrap_or(fingerprint);
    let ended_silence = ended.map(|silence| ReviewAllowParams {
        root: root.to_owned(),
        fingerprint: silence.fingerprint,
        rule: silence.rule,
        reason: silence.reason,
    });
    let recorded = ended_silence.is_some();
    let params = UndoPutParams {
        undo_id: Uuid::now_v7(),
        label: format!("cv allow --remove {short}"),
        root: root.to_owned(),
        files,
        silence: None,
        ended_silence,
    };
    fix::put_undo(params, context)?;
    if let Some(place) = changed {
        place.write(after.as_bytes(), file.found.as_ref())?;
    }
    if recorded {
        let params = ReviewUnallowParams {
            root: root.to_owned(),
            fingerprint: fingerprint.to_owned(),
        };
        daemon::call(
            context,
            Start::IfNeeded,
            "ending the silence",
            |client: Client| async move { client.call::<ReviewUnallow>(&params).await },
        )?;
    }
    Ok(())
}

/// The folder's file of silences, if it has one.
struct SilencesFile {
    place: Option<Place>,
    found: Option<Found>,
    text: String,
}

impl SilencesFile {
    fn read(root: &Path) -> Result<Self, Failure> {
        if std::fs::symlink_metadata(root.join(SILENCES_PATH)).is_err() {
            return Ok(Self {
                place: None,
                found: None,
                text: String::new(),
            });
        }
        let place = Place::under(root, Path::new(SILENCES_PATH), false)?;
        let found = place.read()?;
        let text = found.as_ref().map(text_of).transpose()?;
        Ok(Self {
            place: Some(place),
            found,
            text: text.unwrap_or_default(),
        })
    }
}

fn text_of(found: &Found) -> Result<String, Failure> {
    std::str::from_utf8(&found.bytes)
        .map(str::to_owned)
        .map_err(|error| allow::unreadable(&error.to_string()))
}

/// Takes a silence out of a file that was edited since it was written there.
pub fn take_out(path: &Path, fingerprint: &str) -> Result<(), Failure> {
    if std::fs::symlink_metadata(path).is_err() {
        return Ok(());
    }
    let place = Place::absolute(path, false)?;
    let Some(found) = place.read()? else {
        return Ok(());
    };
    let (after, removed) = allow::without_silence(&text_of(&found)?, fingerprint)?;
    if removed > 0 {
        place.write(after.as_bytes(), Some(&found))?;
    }
    Ok(())
}

//! The way back. Clients change files; the daemon keeps what they were. Its own change, the
//! settings file, it takes back itself.

mod tasks;

use convergio_config::{Revision, restore};
use convergio_contract::{
    ErrorCode, RpcError, Uuid,
    limits::{PAGE_MAX, UNDO_FILE_MAX_BYTES},
    method::Empty,
    review::{Blob, Encoding, ReviewAllowParams},
    template::Template,
    undo::{
        FileToWrite, UndoApply, UndoApplyParams, UndoApplyResponse, UndoEntry, UndoFile, UndoList,
        UndoListParams, UndoListResponse, UndoPut, UndoPutParams, UndoSilence,
    },
};
use convergio_runs::{NewUndo, RunsError, UndoState};
use convergio_tasks::book::Images;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub(super) use tasks::keep_tasks;

use super::runs_error;
use crate::{
    daemon::Daemon,
    dispatch::{Call, Handle},
    failure,
    run_kinds::{blob, request::hex},
};

/// Files of one change.
const FILES_MAX: usize = 16;
/// Rows where no limit is given.
const ROWS_DEFAULT: u32 = 20;
/// How much of a change's label is kept, in bytes.
const LABEL_MAX_BYTES: usize = 64;
/// The longest list of paths that is kept, in bytes.
const PATHS_MAX_BYTES: usize = 4096;

/// A change as it is kept: one row, whatever the number of its files.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Kept {
    files: Vec<UndoFile>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    silence: Option<UndoSilence>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_silence: Option<ReviewAllowParams>,
    /// For the daemon's own change: the revision of the settings file after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    settings_rev: Option<String>,
    /// For a template, which is no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    template: Option<KeptTemplate>,
    /// For tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tasks: Option<Images>,
}

/// A template as it was, and as it became.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct KeptTemplate {
    /// Its name.
    pub(super) name: String,
    /// None where there was none.
    pub(super) before: Option<Template>,
    /// None where it was removed.
    pub(super) after: Option<Template>,
}

fn new_undo(id: Uuid, label: &str, root: Option<String>, kept: &Kept) -> Result<NewUndo, RpcError> {
    let paths: Vec<&str> = kept.files.iter().map(|file| file.path.as_str()).collect();
    let path = paths.join("\n");
    if path.len() > PATHS_MAX_BYTES {
        return Err(RpcError::new(
            ErrorCode::TooLarge,
            "the change's paths are too long together",
        )
        .why(format!("at most {PATHS_MAX_BYTES} bytes are kept")));
    }
    let image = serde_json::to_vec(kept).map_err(|error| {
        failure::internal("the way back could not be written", error.to_string())
    })?;
    Ok(NewUndo {
        id,
        verb: label[..label.floor_char_boundary(LABEL_MAX_BYTES)].to_owned(),
        root,
        path,
        before_image: Some(image),
        before_mode: None,
        after_hash: None,
        run_id: None,
        finding: None,
    })
}

fn check(params: &UndoPutParams) -> Result<(), RpcError> {
    let silence = params.silence.is_some() || params.ended_silence.is_some();
    if params.files.len() > FILES_MAX || (params.files.is_empty() && !silence) {
        return Err(failure::invalid(format!(
            "`files` takes 1 to {FILES_MAX} files"
        )));
    }
    if params.label.trim().is_empty() || params.label.contains('\n') {
        return Err(failure::invalid(
            "`label` takes the change in a few words, on one line",
        ));
    }
    if let Some(ended) = &params.ended_silence {
        super::review::silence(ended.clone())?;
    }
    for file in &params.files {
        if !std::path::Path::new(&file.path).is_absolute() || file.path.contains('\n') {
            return Err(failure::invalid(
                "a file's path must be absolute, on one line",
            ));
        }
        let digits = file
            .after_sha256
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit());
        if file.after_sha256.len() != 64 || !digits {
            return Err(failure::invalid(
                "`after_sha256` takes 64 hexadecimal digits",
            ));
        }
        if let Some(before) = &file.before {
            content(before)?;
        }
    }
    Ok(())
}

fn content(blob: &Blob) -> Result<Vec<u8>, RpcError> {
    blob::decode(blob.clone(), UNDO_FILE_MAX_BYTES, "the file", "git stash")
}

impl Handle<UndoPut> for Daemon {
    async fn handle(&self, _call: Call, params: UndoPutParams) -> Result<Empty, RpcError> {
        check(&params)?;
        let kept = Kept {
            files: params.files,
            silence: params.silence,
            ended_silence: params.ended_silence,
            ..Kept::default()
        };
        let new = new_undo(params.undo_id, &params.label, Some(params.root), &kept)?;
        self.runs().put_undo(new).await.map_err(runs_error)?;
        Ok(Empty {})
    }
}

impl Handle<UndoList> for Daemon {
    async fn handle(
        &self,
        _call: Call,
        params: UndoListParams,
    ) -> Result<UndoListResponse, RpcError> {
        let limit = params.limit.unwrap_or(ROWS_DEFAULT);
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(failure::invalid(format!(
                "`limit` takes 1 to {PAGE_MAX}, not {limit}"
            )));
        }
        let listed = self
            .runs()
            .list_undo(None, limit as usize)
            .await
            .map_err(runs_error)?;
        let entries = listed
            .into_iter()
            // A change that never came to be is nothing to take back.
            .filter(|entry| entry.state != UndoState::Dropped)
            .map(|entry| UndoEntry {
                undo_id: entry.id,
                label: entry.verb,
                created_ms: entry.created_ms,
                root: entry.root,
                paths: entry.path.lines().map(str::to_owned).collect(),
                undone: entry.state == UndoState::Undone,
            });
        Ok(UndoListResponse {
            entries: entries.collect(),
        })
    }
}

impl Handle<UndoApply> for Daemon {
    async fn handle(
        &self,
        _call: Call,
        params: UndoApplyParams,
    ) -> Result<UndoApplyResponse, RpcError> {
        let id = params.undo_id;
        let undo = self
            .runs()
            .get_undo(id)
            .await
            .map_err(|error| match error {
                RunsError::NotFound { .. } => RpcError::new(
                    ErrorCode::NotFound,
                    format!("there is no change {id} to take back"),
                )
                .why("it never was, or it is no longer kept")
                .hint("cv undo --list"),
                other => runs_error(other),
            })?;
        let kept: Kept = serde_json::from_slice(&undo.before_image.unwrap_or_default())
            .map_err(|error| failure::internal("the way back cannot be read", error.to_string()))?;
        let done = UndoApplyResponse {
            write: Vec::new(),
            done: true,
            silence: None,
        };
        let recorded = undo.entry.state == UndoState::Recorded;
        if let Some(rev) = &kept.settings_rev {
            if recorded {
                self.restore_settings(&kept, rev).await?;
            }
            self.closed(id, &kept).await?;
            return Ok(done);
        }
        if let Some(template) = kept.template {
            self.restore_template(id, template).await?;
            return Ok(done);
        }
        if let Some(images) = kept.tasks {
            self.restore_tasks(id, images).await?;
            return Ok(done);
        }
        if params.keep_files && kept.silence.is_none() {
            return Err(failure::invalid("`keep_files` is for silences alone"));
        }
        let write = match left_to_write(&kept.files, &params) {
            _ if params.keep_files => Vec::new(),
            Err(error)
                if error.kind() == Some(ErrorCode::Conflict)
                    && recorded
                    && kept.silence.is_some() =>
            {
                return Ok(UndoApplyResponse {
                    done: false,
                    silence: kept.silence,
                    ..done
                });
            }
            other => other?,
        };
        if write.is_empty() {
            self.closed(id, &kept).await?;
            return Ok(done);
        }
        if !recorded {
            return Err(
                RpcError::new(ErrorCode::Conflict, "this change was taken back already")
                    .hint("cv undo --list"),
            );
        }
        Ok(UndoApplyResponse {
            write,
            done: false,
            silence: None,
        })
    }
}

/// What of the change still stands on the disk.
fn left_to_write(
    files: &[UndoFile],
    params: &UndoApplyParams,
) -> Result<Vec<FileToWrite>, RpcError> {
    let mut write = Vec::new();
    for file in files {
        let Some(found) = params.files.iter().find(|found| found.path == file.path) else {
            return Err(failure::invalid(format!(
                "`files` does not say how {} is on the disk",
                file.path
            )));
        };
        let before = file.before.as_ref().map(content).transpose()?;
        let before_sha = before.map(|bytes| hex(&Sha256::digest(bytes)));
        if found.sha256 == before_sha {
            continue;
        }
        let after = file.after_sha256.to_ascii_lowercase();
        if found.sha256.as_ref().map(|sha| sha.to_ascii_lowercase()) != Some(after) {
            return Err(RpcError::new(
                ErrorCode::Conflict,
                format!("{} was changed since", file.path),
            )
            .why("taking the change back would lose what was done after it")
            .hint("`cv undo --list`, then `cv undo ID` takes back another"));
        }
        write.push(FileToWrite {
            path: file.path.clone(),
            content: file.before.clone(),
        });
    }
    Ok(write)
}

/// Keeps the way back from a change of a template, in the transaction that makes it.
pub(super) fn keep_template(
    tx: &convergio_store::Tx<'_>,
    tenant: convergio_runs::Tenant,
    retention: &convergio_runs::Retention,
    label: &str,
    template: KeptTemplate,
) -> Result<(), RunsError> {
    let kept = Kept {
        template: Some(template),
        ..Kept::default()
    };
    let new = new_undo(Uuid::now_v7(), label, None, &kept).map_err(|_| RunsError::Invalid {
        what: "template",
        reason: "the way back could not be kept",
    })?;
    convergio_runs::put_undo(tx, tenant, &new, crate::daemon::now_ms(), retention)
}

impl Daemon {
    /// Marks a change as taken back, its silence with it; one that it ended stands again.
    async fn closed(&self, id: Uuid, kept: &Kept) -> Result<(), RpcError> {
        let silence = kept.silence.clone();
        let ended = kept.ended_silence.clone();
        let ended = ended.map(super::review::silence).transpose()?;
        let tenant = self.runs().tenant();
        let marked = self.store.write("take a change back", move |tx| {
            if let Some(silence) = &silence {
                convergio_runs::remove_silence(tx, tenant, &silence.root, &silence.fingerprint)?;
            }
            let now_ms = crate::daemon::now_ms();
            if let Some(ended) = &ended
                // Closed once: a repetition must not bring back what was ended again since.
                && convergio_runs::get_undo(tx, tenant, id)?.entry.state == UndoState::Recorded
            {
                convergio_runs::add_silence(tx, tenant, ended, now_ms)?;
            }
            convergio_runs::set_undo_state(tx, tenant, id, UndoState::Undone, now_ms)
        });
        marked.await.map_err(runs_error)
    }

    /// Puts a template back, unless somebody changed it since.
    async fn restore_template(&self, id: Uuid, kept: KeptTemplate) -> Result<(), RpcError> {
        let tenant = self.runs().tenant();
        let name = kept.name.clone();
        let write = self.store.write("take a template back", move |tx| {
            if convergio_runs::get_undo(tx, tenant, id)?.entry.state != UndoState::Recorded {
                return Ok(true);
            }
            let found = convergio_runs::get_template(tx, tenant, &kept.name)?;
            if found.map(super::template::wire) != kept.after {
                return Ok(false);
            }
            let now_ms = crate::daemon::now_ms();
            match kept.before {
                Some(before) => {
                    let before = super::template::new(before);
                    convergio_runs::save_template(tx, tenant, &before, now_ms)?;
                }
                None => {
                    convergio_runs::remove_template(tx, tenant, &kept.name)?;
                }
            }
            convergio_runs::set_undo_state(tx, tenant, id, UndoState::Undone, now_ms)?;
            Ok::<_, RunsError>(true)
        });
        if write.await.map_err(runs_error)? {
            return Ok(());
        }
        Err(RpcError::new(
            ErrorCode::Conflict,
            format!("template {name} was changed since"),
        )
        .why("taking the change back would lose what was done after it")
        .hint("cv template list"))
    }

    async fn restore_settings(&self, kept: &Kept, rev: &str) -> Result<(), RpcError> {
        let configuration = &self.configuration;
        let before = kept.files.first().and_then(|file| file.before.as_ref());
        let before = before.map(content).transpose()?;
        let before_rev = Revision::of(before.as_deref());
        let plan = restore(
            &configuration.paths,
            &configuration.environment,
            before,
            &Revision::from_text(rev),
        );
        let write = move || plan.and_then(|plan| plan.apply());
        match self.background.run("write the settings", write).await? {
            Ok(()) => Ok(()),
            // A crash came between the writing and the marking.
            Err(_)
                if configuration
                    .load()
                    .is_ok_and(|config| *config.revision() == before_rev) =>
            {
                Ok(())
            }
            Err(error) => Err(configuration.error(&error)),
        }
    }

    /// Keeps the way back from a change of the settings file, before it is made.
    pub(super) async fn keep_settings(
        &self,
        label: &str,
        plan: &convergio_config::PlannedEdit,
    ) -> Result<Uuid, RpcError> {
        let id = Uuid::now_v7();
        let encoded = |bytes: &Vec<u8>| Blob {
            encoding: Encoding::Base64,
            data: base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes),
        };
        let kept = Kept {
            files: vec![UndoFile {
                path: plan.path.display().to_string(),
                before: plan.before.as_ref().map(encoded),
                after_sha256: plan.after_rev.as_str().to_owned(),
            }],
            settings_rev: Some(plan.after_rev.as_str().to_owned()),
            ..Kept::default()
        };
        let new = new_undo(id, label, None, &kept)?;
        self.runs().put_undo(new).await.map_err(runs_error)?;
        Ok(id)
    }

    /// The change did not come to be.
    pub(super) async fn drop_undo(&self, id: Uuid) {
        if let Err(error) = self.runs().set_undo_state(id, UndoState::Dropped).await {
            tracing::warn!(%error, "an entry for a change that was not made stays listed");
        }
    }
}

#[cfg(test)]
mod tests;

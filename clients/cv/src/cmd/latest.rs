//! The findings that `cv fix N` and `cv allow N` speak of: those of the latest complete review.

use std::path::PathBuf;

use convergio_client::Client;
use convergio_contract::{
    finding::Finding,
    review::{ReviewLatest, ReviewLatestParams},
};

use crate::{
    context::Context,
    daemon::{self, Start},
    error::{Failure, Kind},
    git::discover::top_level,
    hint::Hint,
    render::words::count,
};

/// The folder under review: git's top level, or the one that the user stands in.
pub fn root(context: &Context) -> Result<(PathBuf, String), Failure> {
    let folder = context.folder()?;
    let root = top_level(&folder).unwrap_or(folder);
    match root.to_str() {
        Some(text) => Ok((root.clone(), text.to_owned())),
        None => Err(Failure::new(
            Kind::Usage,
            "The folder's path is not UTF-8",
            format!(
                "the daemon names folders in UTF-8, and {} is none",
                root.display()
            ),
            Hint::PIPE_A_DIFF,
        )),
    }
}

/// The findings of the latest complete review of a folder.
pub fn findings(context: &mut Context, root: &str) -> Result<Vec<Finding>, Failure> {
    let params = ReviewLatestParams {
        root: root.to_owned(),
    };
    let latest = daemon::call(
        context,
        Start::IfNeeded,
        "looking for the last review",
        |client: Client| async move { client.call::<ReviewLatest>(&params).await },
    )?;
    Ok(latest.findings)
}

/// Finding N.
pub fn numbered(findings: &[Finding], n: u32) -> Result<&Finding, Failure> {
    findings
        .iter()
        .find(|finding| finding.n == n && n > 0)
        .ok_or_else(|| {
            Failure::new(
                Kind::NotFound,
                format!("No finding {n}"),
                match findings.len() {
                    0 => "the last review found nothing".to_owned(),
                    many => format!(
                        "the last review has {}",
                        count(many as u64, "finding", "findings")
                    ),
                },
                if findings.is_empty() {
                    Hint::REVIEW_FIRST
                } else {
                    Hint::REPLAY
                },
            )
        })
}

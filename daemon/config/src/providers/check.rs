//! What must fit together within a provider, over both files.

use super::settings::{ProviderKind, kind};
use super::{SECTION, Said, Tables};
use crate::error::{ErrorKind, Fault};
use crate::forms::{is_loopback, url};
use crate::parse::{MAX_FAULTS, Values, activity};
use crate::value::Layer;

/// Something about a provider that can't hold.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) provider: String,
    /// The way out for who changes the settings, and is refused; in a file it is the fault's hint.
    pub(crate) instead: String,
    pub(crate) fault: Fault,
}

/// The faults of both files' providers together.
pub(crate) fn check(user: &Values, policy: &Values) -> Vec<Fault> {
    let mut faults: Vec<Fault> = problems(user, policy)
        .into_iter()
        .map(|problem| problem.fault)
        .collect();
    if faults.len() > MAX_FAULTS {
        faults.truncate(MAX_FAULTS);
        if let Some(last) = faults.last_mut() {
            last.reason
                .push_str(&format!("; more may follow, only {MAX_FAULTS} are listed"));
        }
    }
    faults
}

/// Everything that does not fit together.
pub(crate) fn problems(user: &Values, policy: &Values) -> Vec<Problem> {
    let layers = [(Layer::User, user), (Layer::Policy, policy)];
    let mut problems = Vec::new();
    for (name, tables) in Tables::collect(layers.into_iter()) {
        check_provider(&name, &tables, &mut problems);
    }
    problems
}

fn check_provider(name: &str, tables: &Tables, problems: &mut Vec<Problem>) {
    let mut add = |said: &Said, reason, way_out: String, instead: Option<String>| {
        problems.push(problem(name, said, reason, way_out, instead));
    };
    let Some(first) = tables.first() else { return };
    let table = format!("{SECTION}.{name}");
    let Some(kind) = kind(name, tables) else {
        add(
            first,
            format!("`{table}` does not say its `kind`"),
            format!("cv config set {table}.kind openai"),
            Some(format!("cv provider add {name} --kind openai")),
        );
        return;
    };
    let base_url = tables.text("base_url").and_then(url);
    let loopback = base_url.as_ref().is_some_and(is_loopback);
    if kind == ProviderKind::Azure && base_url.is_none() {
        add(
            first,
            format!("`{table}` is of kind \"azure\" and does not say its `base_url`"),
            format!("cv config set {table}.base_url https://NAME.openai.azure.com/openai/v1"),
            Some(format!(
                "cv provider add {name} --kind azure \
                 --base-url https://NAME.openai.azure.com/openai/v1"
            )),
        );
    }
    for key in ["api_version", "auth"] {
        if let Some(said) = tables.keys.get(key).filter(|_| kind != ProviderKind::Azure) {
            add(
                said,
                format!(
                    "`{table}.{key}` is for the kind \"azure\", and this one is \"{}\"",
                    kind.as_str()
                ),
                format!("cv config unset {table}.{key}"),
                None,
            );
        }
    }
    if let (Some(true), Some(said)) = (tables.boolean("local"), tables.keys.get("local")) {
        // Whatever says local is asked where nothing may leave the machine.
        let here = loopback || (base_url.is_none() && kind == ProviderKind::Ollama);
        if !here {
            add(
                said,
                match &base_url {
                    Some(url) => format!(
                        "`{table}.local` is true, but {} is not on this machine",
                        url.host_str().unwrap_or("its address")
                    ),
                    None => format!(
                        "`{table}.local` is true, but without `base_url` it is not on this machine"
                    ),
                },
                format!("cv config unset {table}.local"),
                None,
            );
        }
    }
    if let (Some(url), Some(said)) = (&base_url, tables.keys.get("base_url")) {
        let allowed = tables.boolean("allow_plain_http").unwrap_or(false);
        if url.scheme() == "http" && !loopback && !allowed {
            add(
                said,
                format!(
                    "`{table}.base_url` would send keys and text to {} unencrypted",
                    url.host_str().unwrap_or("its address")
                ),
                format!(
                    "use https; or, where the way there is safe: \
                     cv config set {table}.allow_plain_http true"
                ),
                Some(format!(
                    "use https; or, where the way there is safe: cv provider add {name} \
                     --kind {} --base-url {} --allow-plain-http",
                    kind.as_str(),
                    typed(url.as_str())
                )),
            );
        }
    }
    for (id, keys) in &tables.models {
        let priced = keys.iter().find(|(key, _)| key.starts_with("price."));
        let missing = ["price.input", "price.output"]
            .into_iter()
            .find(|key| !keys.contains_key(key));
        if let (Some((_, said)), Some(missing)) = (priced, missing) {
            let model = format!("{table}.model.\"{id}\"");
            add(
                said,
                format!("`{model}` has a price without `{missing}`"),
                format!("cv config set '{model}.{missing}' 3.00"),
                Some(format!(
                    "cv provider add {name} --model {} --input-price 3.00 --output-price 15.00",
                    typed(id)
                )),
            );
        }
    }
}

/// As it is typed in a shell.
fn typed(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/:._-%@+=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn problem(
    provider: &str,
    (layer, entry): &Said,
    reason: String,
    way_out: String,
    instead: Option<String>,
) -> Problem {
    let hint = match (layer, entry.origin.path()) {
        (Layer::Policy, Some(path)) => {
            format!("an administrator must correct {}", path.display())
        }
        _ => way_out,
    };
    Problem {
        provider: provider.to_owned(),
        instead: instead.unwrap_or_else(|| hint.clone()),
        fault: Fault {
            kind: ErrorKind::OutOfRange,
            activity: activity(*layer),
            origin: Some(entry.origin.clone()),
            reason,
            hint,
        },
    }
}

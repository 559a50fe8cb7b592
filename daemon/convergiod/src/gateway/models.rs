//! Which model a program means, and which it may ask.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
};

use convergio_config::{ModelRef, Settings};
use convergio_engine::Plan;
use convergio_gateway::{Fault, FaultKind, listing::Listed};
use convergio_models_remote::Catalog;
use convergio_runs::NewToken;

use crate::providers::{Configured, ladders::BUILT_IN};

/// Every provider that may be asked, by name.
pub(crate) type Providers = BTreeMap<String, Configured>;

/// Beginnings of names, and the provider that calls its models so.
const FAMILIES: [(&str, &str); 6] = [
    ("claude-", "anthropic"),
    ("gpt-", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("gemini-", "gemini"),
];

/// What a program's name of a model stands for: `provider/model`, or an alias.
pub(crate) fn resolve(
    settings: &Settings,
    all: &Providers,
    token: &NewToken,
    name: &str,
) -> Result<String, Fault> {
    if let Some(mapped) = token.map.get(name).or_else(|| token.map.get("*")) {
        return Ok(mapped.clone());
    }
    if let Ok(named) = ModelRef::from_str(name)
        && all.contains_key(&named.provider)
    {
        return Ok(name.to_owned());
    }
    if BUILT_IN.contains(&name) || settings.models().alias.contains_key(name) {
        return Ok(name.to_owned());
    }
    let knows = |provider: &&Configured| {
        let of_row = provider.row.and_then(|row| row.model(name));
        provider.models.contains_key(name) || of_row.is_some()
    };
    // The user's own first, then in the catalogue's order.
    let own = all
        .values()
        .filter(|provider| provider.in_settings)
        .find(knows);
    let rows = Catalog::builtin().providers().iter();
    let mut built_in = rows.filter_map(|row| all.get(&row.name));
    let known = own.or_else(|| built_in.find(knows));
    let provider = match known {
        Some(provider) => Some(provider.name.clone()),
        None => {
            let mut families = FAMILIES.iter();
            let family = families.find(|(begins, _)| name.starts_with(begins));
            family
                .filter(|(_, provider)| all.contains_key(*provider))
                .map(|(_, provider)| (*provider).to_owned())
        }
    };
    match provider {
        Some(provider) => Ok(format!("{provider}/{name}")),
        None => Err(Fault::new(
            FaultKind::NotFound,
            format!(
                "Convergio: no provider has the model {:?}: name it provider/model, or map it: \
                 `cv token create NAME --model MODEL`. `cv models` lists those that are known",
                name.chars().take(100).collect::<String>()
            ),
        )),
    }
}

/// Leaves of a plan what the token allows.
pub(crate) fn allow(mut plan: Plan, token: &NewToken, meant: &str) -> Result<Plan, Fault> {
    let Some(models) = &token.models else {
        return Ok(plan);
    };
    // An alias that is allowed allows whatever it stands for.
    if models.iter().any(|model| model == meant) {
        return Ok(plan);
    }
    plan.routes
        .retain(|route| models.contains(&route.target.to_string()));
    match plan.routes.is_empty() {
        false => Ok(plan),
        true => Err(Fault::new(
            FaultKind::Permission,
            format!(
                "Convergio: the token {} may not ask {meant}: it is for {}",
                token.name,
                models.join(", ")
            ),
        )),
    }
}

/// The models that a program is told of.
/// `here` are those that servers on this machine just told of, by their provider.
pub(crate) fn listed(
    all: &Providers,
    here: Vec<(String, Vec<String>)>,
    token: &NewToken,
) -> Vec<Listed> {
    let mut ids = BTreeSet::new();
    for (name, models) in here {
        let models = models.into_iter();
        ids.extend(models.map(|model| (name.clone(), format!("{name}/{model}"))));
    }
    for (name, provider) in all {
        let of_row = provider.row.iter().flat_map(|row| &row.models);
        let rows = of_row.map(|model| model.id.clone());
        for model in provider.models.keys().cloned().chain(rows) {
            ids.insert((name.clone(), format!("{name}/{model}")));
        }
    }
    for alias in token.map.keys().filter(|name| *name != "*") {
        ids.insert(("convergio".to_owned(), alias.clone()));
    }
    let allowed = |id: &String| match &token.models {
        None => true,
        Some(models) => models.contains(id),
    };
    let one = |(provider, id)| Listed { id, provider };
    ids.into_iter()
        .filter(|(_, id)| allowed(id))
        .map(one)
        .collect()
}

//! Who can be asked: the built-in catalogue with the settings over it, their keys, their prices.

pub(crate) mod described;
pub(crate) mod facts;
pub(crate) mod failure;
pub(crate) mod found;
pub(crate) mod health;
pub(crate) mod known;
pub(crate) mod ladders;
pub(crate) mod lists;
pub(crate) mod prices;
pub(crate) mod routes;
pub(crate) mod seen;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use convergio_config::{
    ModelSettings, ProviderKind, ProviderSettings, Settings,
    secrets::{Found, KeyName, KeyQuery, KeyUnavailable, SecretString, Secrets},
};
use convergio_contract::{
    RpcError,
    secret::{KEY_VARIABLES, SecretText},
};
use convergio_egress::{Egress, ExtraRoots, ProxySettings, Timeouts};
use convergio_models_remote::{
    Api, Azure, Catalog, Endpoint, JsonSupport, Kind, ListedModel, ProviderRow, usual_timeouts,
};
use tokio::sync::Semaphore;
use url::Url;

use self::lists::{Listed, PriceLists};
use crate::failure::invalid;

/// What the daemon has for asking models: made at its start, touches nothing until it is used.
pub(crate) struct ModelHouse {
    pub(crate) egress: Egress,
    pub(crate) secrets: Secrets,
    /// The machine's IANA time zone, in which days are counted.
    pub(crate) zone: String,
    /// What servers on this machine were found to have, by origin.
    found: Mutex<HashMap<String, (Instant, Vec<ListedModel>)>>,
    /// Places at providers that take only so many calls at once, by name and number.
    places: Mutex<HashMap<(String, u32), Arc<Semaphore>>>,
    /// Who answers at the moment.
    pub(crate) breakers: health::Breakers,
    /// What servers on this machine said of their models.
    pub(crate) described: described::Descriptions,
    /// What models cost by a list that was signed.
    pub(crate) lists: PriceLists,
    known: known::LastKnown,
}

/// Calls that a provider gets at once where nobody says how many it takes.
const PLACES: u32 = 64;
/// A server's models are looked up again after this.
const FOUND_COUNTS: Duration = Duration::from_secs(60);
/// A server that was not there is looked for again after this.
const ABSENT_COUNTS: Duration = Duration::from_secs(5);

impl ModelHouse {
    pub(crate) fn new(secrets: Secrets, proxies: ProxySettings, data_dir: &Path) -> Self {
        Self {
            egress: Egress::new(proxies),
            secrets,
            zone: convergio_ledger::local_zone(),
            found: Mutex::default(),
            places: Mutex::default(),
            breakers: health::Breakers::default(),
            described: described::Descriptions::default(),
            lists: PriceLists::open(data_dir, jiff::Timestamp::now()),
            known: known::LastKnown::default(),
        }
    }

    /// The places of a provider: it takes only so many calls at once. Who waits gets one in turn.
    pub(crate) fn places(&self, provider: &Configured) -> Arc<Semaphore> {
        let count = provider.concurrency.unwrap_or(PLACES).max(1);
        let mut all = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let places = all
            .entry((provider.name.clone(), count))
            .or_insert_with(|| Arc::new(Semaphore::new(count as usize)));
        Arc::clone(places)
    }

    /// Every provider that may be asked, by name: as [`configured`], and kept for the next one.
    pub(crate) fn configured(&self, settings: &Settings) -> Arc<BTreeMap<String, Configured>> {
        self.known.configured(settings, &self.lists)
    }

    /// What was found at `origin` a moment ago.
    fn remembered(&self, origin: &str, now: Instant) -> Option<Vec<ListedModel>> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let (looked, models) = found.get(origin)?;
        let counts = if models.is_empty() {
            ABSENT_COUNTS
        } else {
            FOUND_COUNTS
        };
        (now.saturating_duration_since(*looked) < counts).then(|| models.clone())
    }

    fn remember(&self, origin: String, now: Instant, models: Vec<ListedModel>) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.insert(origin, (now, models));
    }

    /// The provider's key: the client's own variables first. None where it needs none.
    ///
    /// Fails with `key_unavailable` and the variables that would hold it, also where the client was
    /// never asked for one that it does not send by itself: its own environment comes first.
    pub(crate) async fn key(
        &self,
        provider: &Configured,
        client: &BTreeMap<String, SecretText>,
        file_allowed: bool,
    ) -> Result<Option<Found>, RpcError> {
        if provider.unasked(client).next().is_some() {
            return Err(failure::ask_client(provider));
        }
        let found = self.look_for_key(provider, client, file_allowed).await;
        found.map_err(|missing| failure::key(&missing))
    }

    /// The same; where it was looked for and why it was not there, if it is nowhere.
    pub(crate) async fn look_for_key(
        &self,
        provider: &Configured,
        client: &BTreeMap<String, SecretText>,
        file_allowed: bool,
    ) -> Result<Option<Found>, KeyUnavailable> {
        if provider.takes_no_key() {
            return Ok(None);
        }
        let name = KeyName::new(&provider.name).map_err(|_| KeyUnavailable {
            provider: provider.name.clone(),
            env_names: provider.key_env.clone(),
            tried: Vec::new(),
        })?;
        let client = client
            .iter()
            .map(|(name, text)| (name.clone(), SecretString::from(text.expose())))
            .collect();
        let query = KeyQuery {
            provider: &name,
            env_names: &provider.key_env,
            client: &client,
            key_cmd: provider.key_cmd.as_deref(),
            file_allowed,
        };
        match self.secrets.find(&query).await {
            Ok(found) => Ok(Some(found)),
            // Nobody said that it takes one: it says so itself if it does.
            Err(_)
                if provider.key_env.is_empty()
                    && provider.key_cmd.is_none()
                    && !provider.is_known_to_take_a_key() =>
            {
                Ok(None)
            }
            Err(missing) => Err(missing),
        }
    }
}

/// One provider: a row of the catalogue, a table of the settings, or the table over the row.
#[derive(Clone)]
pub(crate) struct Configured {
    /// What requests call it.
    pub(crate) name: String,
    /// Which dialect it speaks.
    pub(crate) kind: Kind,
    /// Where it is; none where neither says.
    pub(crate) base_url: Option<Url>,
    /// Variables that may hold its key, in order of preference.
    pub(crate) key_env: Vec<String>,
    /// Prints its key.
    pub(crate) key_cmd: Option<String>,
    /// Certificates to trust beside the system's.
    pub(crate) ca_file: Option<PathBuf>,
    /// For Azure: its version, and what its key is.
    pub(crate) azure: Azure,
    /// It is said to answer on this machine.
    pub(crate) local: bool,
    /// The user wrote that it may be spoken to in the clear.
    pub(crate) allow_plain_http: bool,
    /// How long each wait may take.
    pub(crate) timeouts: Timeouts,
    /// How many calls it may have at once; none for as many as there are.
    pub(crate) concurrency: Option<u32>,
    /// What the settings say of its models.
    pub(crate) models: BTreeMap<String, ModelSettings>,
    /// The catalogue's row.
    pub(crate) row: Option<&'static ProviderRow>,
    /// The list of prices in force; none: the catalogue's hold.
    pub(crate) listed: Option<Arc<Listed>>,
    /// The settings name it.
    pub(crate) in_settings: bool,
}

/// The dialect of that name: both lists have the same.
fn kind(kind: ProviderKind) -> Kind {
    #[expect(
        clippy::expect_used,
        reason = "a test holds the names of both against each other"
    )]
    Kind::from_name(kind.as_str()).expect("the settings know the dialects that there are")
}

/// Every provider that may be asked, by name. Those that `models.allowed_providers` leaves out are
/// not among them.
pub(crate) fn configured(settings: &Settings, lists: &PriceLists) -> BTreeMap<String, Configured> {
    let listed = lists.in_force();
    let rows = Catalog::builtin()
        .providers()
        .iter()
        .map(|row| Configured::from_row(row, listed.clone()));
    let mut all: BTreeMap<String, Configured> = rows.map(|row| (row.name.clone(), row)).collect();
    for (name, table) in settings.providers() {
        let row = all.remove(&name).and_then(|configured| configured.row);
        all.insert(name, Configured::from_settings(table, row, listed.clone()));
    }
    all.retain(|name, _| settings.provider_allowed(name));
    all
}

/// Asks the client at once for all that it may have of these providers' keys and was not asked for.
///
/// # Errors
/// `key_unavailable` with the variables; sent again with them, or with empty ones, it goes on.
pub(crate) fn ask_for_keys<'a>(
    providers: impl Iterator<Item = &'a Configured>,
    sent: &BTreeMap<String, SecretText>,
) -> Result<(), RpcError> {
    let names: BTreeSet<&String> = providers.flat_map(|one| one.unasked(sent)).collect();
    match names.is_empty() {
        true => Ok(()),
        false => Err(failure::ask_client_for(
            names.into_iter().cloned().collect(),
        )),
    }
}

/// What models are deployed as, where that is not their own id.
fn deployments(models: &BTreeMap<String, ModelSettings>) -> BTreeMap<String, String> {
    let named = models
        .iter()
        .filter_map(|(id, said)| Some((id.clone(), said.deployment.clone()?)));
    named.collect()
}

impl Configured {
    fn from_row(row: &'static ProviderRow, listed: Option<Arc<Listed>>) -> Self {
        Self {
            name: row.name.clone(),
            kind: row.kind,
            base_url: (!row.needs_address()).then(|| row.base_url.clone()),
            key_env: row.key_env.clone(),
            key_cmd: None,
            ca_file: None,
            azure: Azure::default(),
            local: row.local,
            allow_plain_http: false,
            timeouts: usual_timeouts(row.local),
            concurrency: None,
            models: BTreeMap::new(),
            row: Some(row),
            listed,
            in_settings: false,
        }
    }

    fn from_settings(
        table: ProviderSettings,
        row: Option<&'static ProviderRow>,
        listed: Option<Arc<Listed>>,
    ) -> Self {
        // A table that speaks another dialect is another provider of the same name.
        let kind = kind(table.kind);
        let row = row.filter(|row| row.kind == kind);
        let usual = usual_timeouts(table.local);
        let or = |set: Option<u64>, usual| set.map_or(usual, Duration::from_millis);
        // The catalogue's key goes to the catalogue's address and nowhere else by itself; where the
        // catalogue has none, the settings' address is the provider's own.
        let elsewhere = table.base_url.is_some() && !row.is_some_and(|row| row.needs_address());
        let row_key = row.filter(|_| !elsewhere).map(|row| row.key_env.clone());
        let by_kind = || {
            let rows = Catalog::builtin().providers().iter();
            let mut same = rows.filter(|row| {
                row.kind == kind && row.name == kind.as_str() && !row.needs_address()
            });
            same.next().map(|row| row.base_url.clone())
        };
        Self {
            name: table.name,
            kind,
            base_url: table
                .base_url
                .or_else(|| {
                    let row = row.filter(|row| !row.needs_address())?;
                    Some(row.base_url.clone())
                })
                .or_else(by_kind),
            key_env: match table.key_env {
                Some(name) => vec![name],
                None => row_key.unwrap_or_default(),
            },
            key_cmd: table.key_cmd,
            ca_file: table.ca_file,
            azure: Azure {
                api_version: table.api_version,
                entra: table.entra,
                deployments: deployments(&table.models),
            },
            local: table.local,
            allow_plain_http: table.allow_plain_http,
            timeouts: Timeouts {
                connect: or(table.timeouts.connect_timeout_ms, usual.connect),
                first_byte: or(table.timeouts.first_byte_timeout_ms, usual.first_byte),
                idle: or(table.timeouts.idle_timeout_ms, usual.idle),
                total: usual.total,
            },
            concurrency: table.concurrency,
            models: table.models,
            row,
            listed,
            in_settings: true,
        }
    }

    /// The catalogue says that it takes a key, whatever address it has now: without one nothing is
    /// sent.
    fn is_known_to_take_a_key(&self) -> bool {
        self.row.is_some_and(|row| !row.key_env.is_empty())
    }

    /// Nobody says that it takes a key, and it is this machine.
    pub(crate) fn takes_no_key(&self) -> bool {
        let loopback = self
            .base_url
            .as_ref()
            .is_some_and(convergio_config::is_loopback);
        self.key_env.is_empty() && self.key_cmd.is_none() && loopback
    }

    /// Variables that may hold its key, that no client sends by itself, and that this one was not
    /// asked for.
    pub(crate) fn unasked<'a>(
        &'a self,
        sent: &'a BTreeMap<String, SecretText>,
    ) -> impl Iterator<Item = &'a String> {
        let names = self.key_env.iter().filter(|_| !self.takes_no_key());
        names.filter(|name| {
            !KEY_VARIABLES.contains(&name.as_str()) && !sent.contains_key(name.as_str())
        })
    }

    /// Where and how it is spoken to.
    pub(crate) fn endpoint(&self, key: Option<SecretString>) -> Result<Endpoint, RpcError> {
        let Some(base_url) = self.base_url.clone() else {
            return Err(
                invalid(format!("the provider {:?} has no address", self.name))
                    .why(format!("there is no usual one for the kind {}", self.kind))
                    .hint(format!(
                        "cv config set provider.{}.base_url https://…",
                        self.name
                    )),
            );
        };
        if !self.kind.is_supported() {
            return Err(
                invalid(format!("the provider {:?} cannot be asked yet", self.name))
                    .why(format!("this release does not speak {}", self.kind))
                    .hint("cv provider list"),
            );
        }
        let mut endpoint = Endpoint::new(self.name.clone(), self.kind, base_url);
        if let Some(row) = self.row {
            let of_row = Endpoint::from_row(row);
            endpoint.dialect = of_row.dialect;
            endpoint.models = of_row.models;
            let listed = self.listed.iter();
            for model in listed.flat_map(|listed| listed.file.models(&row.name)) {
                for id in std::iter::once(&model.id).chain(&model.aliases) {
                    endpoint.models.insert(id.clone(), model.into());
                }
            }
        }
        for (id, settings) in &self.models {
            let traits = endpoint.models.entry(id.clone()).or_default();
            traits.context = settings.context_tokens.or(traits.context);
            traits.max_output = settings.max_output_tokens.or(traits.max_output);
            traits.json = match settings.json {
                Some(true) => Some(JsonSupport::Schema),
                Some(false) => Some(JsonSupport::Prompt),
                None => traits.json,
            };
            traits.sampling = settings.sampling.or(traits.sampling);
            traits.api = match settings.responses {
                Some(true) => Some(Api::Responses),
                Some(false) => Some(Api::Chat),
                None => traits.api,
            };
        }
        endpoint.azure = self.azure.clone();
        endpoint.key = key;
        endpoint.local = self.local;
        endpoint.allow_plain_http = self.allow_plain_http;
        endpoint.timeouts = self.timeouts;
        if let Some(path) = &self.ca_file {
            let roots = ExtraRoots::read(path).map_err(|error| {
                invalid(format!(
                    "the certificates of {:?} cannot be used",
                    self.name
                ))
                .why(error.to_string())
                .hint(format!("cv config unset provider.{}.ca_file", self.name))
            })?;
            endpoint.extra_roots = Some(roots);
        }
        Ok(endpoint)
    }
}

//! Lists of prices.

use std::{collections::BTreeMap, sync::Arc};

use convergio_config::Settings;
use convergio_contract::{
    ErrorCode, RpcError,
    limits::PAGE_MAX,
    method::Empty,
    price::{
        LIST_MAX_BYTES, PriceChange, PricesChanged, PricesInForce, PricesRollback, PricesShow,
        PricesUpdate, PricesUpdateParams, SIGNATURE_MAX_BYTES,
    },
};
use convergio_egress::{Method, Reach, Request, Timeouts, Url};
use convergio_models_remote::{Catalog, PriceFileError, TrustedKey};
use jiff::Timestamp;
use tokio::time::Duration;

use crate::{
    daemon::Daemon,
    dispatch::{Call, Handle},
    egress::Leaving,
    failure::invalid,
    providers::{
        configured,
        lists::{ListError, Listed, released},
        prices, routes,
    },
};

/// A list is small: who sends one for longer sends something else.
const FETCH: Timeouts = Timeouts {
    connect: Duration::from_secs(10),
    first_byte: Duration::from_secs(20),
    idle: Duration::from_secs(20),
    total: Some(Duration::from_secs(50)),
};

const TRUST: &str = "cv config set prices.trusted_keys KEY";

type Prices = BTreeMap<String, BTreeMap<String, i64>>;

fn refused(error: &ListError) -> RpcError {
    let said = error.to_string();
    match error {
        ListError::Refused(PriceFileError::NotTrusted { .. }) => {
            RpcError::new(ErrorCode::Forbidden, "the price list was not taken")
                .why(said)
                .hint(TRUST)
        }
        ListError::Refused(PriceFileError::NotNewer { .. }) => {
            RpcError::new(ErrorCode::Conflict, "the price list was not taken")
                .why(said)
                .hint("cv models prices")
        }
        ListError::Refused(PriceFileError::Format { .. }) => {
            invalid("the price list was not taken")
                .why(said)
                .hint("take a newer release of this program, or a list of the older form")
        }
        ListError::Refused(_) => invalid("the price list was not taken")
            .why(said)
            .hint("cv models prices"),
        ListError::NothingTaken => {
            RpcError::new(ErrorCode::Conflict, "there is nothing to go back from")
                .why(said)
                .hint("cv models prices")
        }
        ListError::Io(_) | ListError::Broken(_) => {
            RpcError::new(ErrorCode::StorageError, "the price list was not kept")
                .why(said)
                .hint("cv doctor")
        }
    }
}

fn trusted(settings: &Settings) -> Result<Vec<TrustedKey>, RpcError> {
    let keys = settings.trusted_price_keys().iter();
    keys.map(|text| {
        TrustedKey::parse(text).ok_or_else(|| {
            invalid(format!("{text:?} is no public key of minisign"))
                .why("prices.trusted_keys has it")
                .hint("cv config edit")
        })
    })
    .collect()
}

impl Daemon {
    fn in_force(&self, settings: &Settings) -> PricesInForce {
        let listed = self.models.lists.in_force();
        let keys = settings.trusted_price_keys();
        let models = self.all_prices(settings).len();
        let common = PricesInForce {
            origin: "release".to_owned(),
            issued_ms: released().as_millisecond(),
            publisher: None,
            sha256: None,
            key: None,
            key_trusted: None,
            taken_ms: None,
            models: u32::try_from(models).unwrap_or(u32::MAX),
            trusted_keys: keys.to_vec(),
            has_previous: self.models.lists.has_previous(),
            problem: self.models.lists.problem(),
        };
        let Some(listed) = listed else { return common };
        PricesInForce {
            origin: "list".to_owned(),
            issued_ms: listed.file.issued.as_millisecond(),
            publisher: Some(listed.file.publisher.clone()),
            sha256: Some(listed.sha256.clone()),
            key_trusted: Some(keys.contains(&listed.key)),
            key: Some(listed.key.clone()),
            taken_ms: Some(listed.taken_ms),
            ..common
        }
    }

    /// What every model costs now, of the catalogue, the list in force and the settings.
    fn all_prices(&self, settings: &Settings) -> Prices {
        let mut all = Prices::new();
        for provider in configured(settings, &self.models.lists).into_values() {
            let rows = Catalog::builtin().provider(&provider.name);
            let builtin = rows.iter().flat_map(|row| &row.models);
            let listed = provider.row.zip(provider.listed.as_deref());
            let listed = listed.map_or(&[][..], |(row, listed)| listed.file.models(&row.name));
            let ids = builtin
                .chain(listed)
                .map(|row| row.id.clone())
                .chain(provider.models.keys().cloned());
            for id in ids {
                if let Some(sheet) = provider.facts(&id).prices {
                    let name = format!("{}/{id}", provider.name);
                    all.insert(name, prices::by_resource(&sheet));
                }
            }
        }
        all
    }

    fn changed(&self, settings: &Settings, before: &Prices) -> PricesChanged {
        let after = self.all_prices(settings);
        let names: std::collections::BTreeSet<&String> =
            before.keys().chain(after.keys()).collect();
        let of = |prices: &Prices, name: &str| prices.get(name).cloned().unwrap_or_default();
        let changes = names.into_iter().map(|name| PriceChange {
            name: name.clone(),
            before: of(before, name),
            after: of(&after, name),
        });
        let mut changes: Vec<PriceChange> = changes.filter(|it| it.before != it.after).collect();
        let changed = u32::try_from(changes.len()).unwrap_or(u32::MAX);
        changes.truncate(PAGE_MAX as usize);
        PricesChanged {
            in_force: self.in_force(settings),
            changes,
            changed,
        }
    }

    /// What is at an address, at most so many bytes of text; its row is written first.
    async fn fetch(&self, settings: &Settings, url: Url, max: usize) -> Result<String, RpcError> {
        let shown = url.to_string();
        let failed = |why: String| {
            RpcError::new(
                ErrorCode::ProviderError,
                format!("{shown} could not be read"),
            )
            .why(why)
            .hint("cv models prices update FILE")
        };
        let leaving = Leaving {
            url: url.clone(),
            bytes: 0,
            purpose: "prices".to_owned(),
            policy: routes::policy(settings.models().policy),
            model: None,
            run_id: None,
        };
        let permit = self.permit(leaving).await?;
        let request = Request::new(Method::Get, url)
            .reach(Reach::Configured)
            .timeouts(FETCH)
            .max_response_bytes(max as u64);
        let answer = self.models.egress.send(permit, request).await;
        let response = answer.map_err(|error| failed(error.to_string()))?;
        if response.status() != 200 {
            return Err(failed(format!(
                "it answered with HTTP {}",
                response.status()
            )));
        }
        let body = response.into_body().collect().await;
        let body = body.map_err(|error| failed(error.to_string()))?;
        String::from_utf8(body.to_vec()).map_err(|_| failed("it is no text".to_owned()))
    }

    async fn list_and_signature(
        &self,
        settings: &Settings,
        params: PricesUpdateParams,
    ) -> Result<(String, String), RpcError> {
        match (params.text, params.signature, params.url) {
            (Some(text), Some(signature), None) => Ok((text, signature)),
            (None, None, Some(url)) => {
                let list = Url::parse(&url).ok().filter(|url| {
                    matches!(url.scheme(), "http" | "https") && url.username().is_empty()
                });
                let list = list.ok_or_else(|| {
                    invalid(format!("{url:?} is no address"))
                        .why("a list is fetched by http or https")
                        .hint("cv models prices update FILE")
                })?;
                let mut signature = list.clone();
                signature.set_path(&format!("{}.minisig", list.path()));
                let text = self.fetch(settings, list, LIST_MAX_BYTES).await?;
                let signature = self.fetch(settings, signature, SIGNATURE_MAX_BYTES).await?;
                Ok((text, signature))
            }
            _ => Err(
                invalid("a list is its text and its signature, or one address")
                    .hint("cv models prices update FILE"),
            ),
        }
    }
}

impl Handle<PricesShow> for Daemon {
    async fn handle(&self, call: Call, _: Empty) -> Result<PricesInForce, RpcError> {
        let settings = self.settings_of(&call)?;
        Ok(self.in_force(&settings))
    }
}

impl Handle<PricesUpdate> for Daemon {
    async fn handle(
        &self,
        call: Call,
        params: PricesUpdateParams,
    ) -> Result<PricesChanged, RpcError> {
        let settings = self.settings_of(&call)?;
        let keys = trusted(&settings)?;
        if keys.is_empty() {
            // Nothing is fetched that could not be taken.
            return Err(
                RpcError::new(ErrorCode::Forbidden, "the price list was not taken")
                    .why("nobody's lists are trusted: no key is built in, and none is set")
                    .hint(TRUST),
            );
        }
        let (text, signature) = self.list_and_signature(&settings, params).await?;
        let before = self.all_prices(&settings);
        let daemon = self.shared()?;
        let take = move || {
            let now = Timestamp::now();
            daemon.models.lists.take(text, signature, &keys, now)
        };
        let taken: Result<Arc<Listed>, ListError> =
            self.background.run("keep the price list", take).await?;
        taken.map_err(|error| refused(&error))?;
        Ok(self.changed(&settings, &before))
    }
}

impl Handle<PricesRollback> for Daemon {
    async fn handle(&self, call: Call, _: Empty) -> Result<PricesChanged, RpcError> {
        let settings = self.settings_of(&call)?;
        let before = self.all_prices(&settings);
        let daemon = self.shared()?;
        let go_back = move || daemon.models.lists.go_back(Timestamp::now());
        let gone = self
            .background
            .run("go back to other prices", go_back)
            .await?;
        gone.map_err(|error| refused(&error))?;
        Ok(self.changed(&settings, &before))
    }
}

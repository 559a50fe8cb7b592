//! Tokens of the gateway, and how it stands.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
    sync::Arc,
};

use convergio_config::{ModelRef, Settings, nano_usd};
use convergio_contract::{
    ErrorCode, RpcError, SecretText, Uuid,
    method::Empty,
    model::Policy,
    run::RunOptions,
    token::{
        GatewayStatus, GatewayStatusResponse, TokenCreate, TokenCreateParams, TokenCreateResponse,
        TokenInfo, TokenList, TokenListResponse, TokenRevoke, TokenRevokeParams,
        TokenRevokeResponse, TokenState,
    },
};
use convergio_gateway::token::TokenText;
use convergio_ledger::{
    BudgetSpec, BudgetState, GroupBy, LedgerError, Mode, Now, Scope, UsageQuery, Window,
};
use convergio_runs::{NewToken, Token};

use super::{absolute, runs_error};
use crate::{
    daemon::{Daemon, now_ms},
    dispatch::{Call, Handle},
    failure,
    providers::{self, configured, ladders::BUILT_IN, routes},
    run_kinds::record::WriteError,
};

/// Models and names of models that a token takes.
const MODELS_MAX: usize = 100;
/// Bytes of a name of a model.
const MODEL_MAX_BYTES: usize = 264;
/// Tries to find a name that nobody has.
const NAMES_MAX: usize = 16;
/// Ten years.
const EXPIRES_MAX_MS: u64 = 3_653 * 24 * 60 * 60 * 1_000;
/// Tokens whose spending is added up.
const SUMS_MAX: usize = 1_000;

fn names_a_model(settings: &Settings, name: &str) -> bool {
    let short = name.len() <= MODEL_MAX_BYTES;
    let alias = BUILT_IN.contains(&name) || settings.models().alias.contains_key(name);
    short && (alias || ModelRef::from_str(name).is_ok())
}

fn check(settings: &Settings, params: &TokenCreateParams) -> Result<(), RpcError> {
    let named = params.models.iter().chain(params.model_map.values());
    if let Some(wrong) = named.clone().find(|name| !names_a_model(settings, name)) {
        return Err(failure::invalid(format!("{wrong:?} names no model"))
            .why("a model is named provider/model, or by an alias")
            .hint("cv models"));
    }
    let mapped = params.model_map.keys();
    if params.models.len() > MODELS_MAX
        || mapped.len() > MODELS_MAX
        || mapped
            .into_iter()
            .any(|name| name.is_empty() || name.len() > MODEL_MAX_BYTES)
    {
        return Err(failure::invalid(format!(
            "a token takes at most {MODELS_MAX} models, and as many names for them"
        )));
    }
    if params
        .expires_in_ms
        .is_some_and(|wait| wait == 0 || wait > EXPIRES_MAX_MS)
    {
        return Err(failure::invalid("`expires_in_ms` takes 1 ms to ten years"));
    }
    if let Some(root) = &params.root {
        absolute(root)?;
    }
    let client = params.client.as_deref().unwrap_or("x");
    if client.is_empty() || client.len() > 64 || client.chars().any(char::is_control) {
        return Err(failure::invalid("`client` takes 1 to 64 bytes"));
    }
    Ok(())
}

/// A policy as it is kept.
fn policy_text(policy: Policy) -> Option<String> {
    let value = serde_json::to_value(policy).ok()?;
    value.as_str().map(str::to_owned)
}

fn amount(name: &str, text: Option<&String>) -> Result<Option<i64>, RpcError> {
    let parse = |text: &String| {
        nano_usd(text).ok_or_else(|| {
            failure::invalid(format!("`{name}` takes US dollars, for instance \"5.00\""))
        })
    };
    text.map(parse).transpose()
}

/// What is known of tokens beside their rows.
#[derive(Default)]
struct Spending {
    /// Limit in all and in a day.
    limits: BTreeMap<String, (Option<i64>, Option<i64>)>,
    /// Spent, and runs.
    spent: BTreeMap<String, (i64, u64)>,
}

impl Spending {
    fn new(budgets: Vec<BudgetState>) -> Self {
        let mut limits: BTreeMap<String, (Option<i64>, Option<i64>)> = BTreeMap::new();
        for budget in budgets {
            if budget.name.scope == Scope::Token {
                let limit = limits.entry(budget.name.scope_key).or_default();
                match budget.name.window {
                    Window::Total => limit.0 = Some(budget.limit_nano),
                    Window::Day => limit.1 = Some(budget.limit_nano),
                    _ => {}
                }
            }
        }
        Self {
            limits,
            spent: BTreeMap::new(),
        }
    }
}

impl Daemon {
    fn token_info(&self, token: Token, spending: &Spending) -> TokenInfo {
        let now_ms = now_ms();
        let state = match (token.revoked_ms, token.is_good(now_ms)) {
            (Some(_), _) => TokenState::Revoked,
            (None, true) => TokenState::Good,
            (None, false) => TokenState::Expired,
        };
        let kept = token.token;
        let limits = spending.limits.get(&kept.name).copied().unwrap_or_default();
        let (spent_nano_usd, runs) = spending.spent.get(&kept.name).copied().unwrap_or_default();
        let policy = kept.policy.map(serde_json::Value::from);
        TokenInfo {
            refused: self.gateway.refused(&kept.name),
            failed: self.gateway.failed(&kept.name),
            client: kept.client,
            state,
            models: kept.models.unwrap_or_default(),
            model_map: kept.map,
            policy: policy.and_then(|policy| serde_json::from_value(policy).ok()),
            while_connected: kept.bound,
            created_ms: token.created_ms,
            expires_ms: kept.expires_ms,
            last_used_ms: token.last_used_ms,
            revoked_ms: token.revoked_ms,
            max_nano_usd: limits.0,
            daily_nano_usd: limits.1,
            spent_nano_usd,
            runs,
            name: kept.name,
        }
    }

    async fn spending(&self) -> Result<Spending, RpcError> {
        let tenant = self.runs().tenant().id();
        let query = UsageQuery {
            by: GroupBy::Token,
            since_ms: None,
            until_ms: None,
            run_id: None,
            zone: self.models.zone.clone(),
            limit: SUMS_MAX,
        };
        let read = self.store.read("add up what tokens spent", move |conn| {
            let budgets = convergio_ledger::budgets(conn, tenant, Now::system())?;
            let report = convergio_ledger::usage(conn, tenant, &query)?;
            Ok::<_, LedgerError>((budgets, report))
        });
        let (budgets, report) = read
            .await
            .map_err(|error| providers::failure::ledger(&error))?;
        let mut spending = Spending::new(budgets);
        for row in report.rows {
            let totals = (row.totals.cost_nano, row.totals.runs);
            spending.spent.insert(row.key, totals);
        }
        Ok(spending)
    }

    async fn keep_token(
        &self,
        new: NewToken,
        number_name: bool,
        (max, daily): (Option<i64>, Option<i64>),
    ) -> Result<Token, RpcError> {
        let (tenant, zone) = (self.runs().tenant(), self.models.zone.clone());
        let write = self.store.write("create a token", move |tx| {
            let (now_ms, base) = (now_ms(), new.name.clone());
            let mut new = new;
            let mut tries = 0;
            loop {
                if number_name {
                    let mut bits = [0_u8; 2];
                    if getrandom::fill(&mut bits).is_ok() {
                        new.name = format!("{base}-{:04x}", u16::from_le_bytes(bits));
                    }
                }
                if convergio_runs::create_token(tx, tenant, &new, now_ms)? {
                    break;
                }
                tries += 1;
                if !number_name || tries == NAMES_MAX {
                    let error = RpcError::new(
                        ErrorCode::Conflict,
                        format!("there is, or was, a token {base:?}"),
                    )
                    .why("its name stands in the books, so no other one gets it")
                    .hint(format!("cv token create {base}-2"));
                    return Err(WriteError::Told(Box::new(error)));
                }
            }
            let limits = [(Window::Total, max), (Window::Day, daily)];
            for (window, limit_nano) in limits {
                let Some(limit_nano) = limit_nano else {
                    continue;
                };
                let spec = BudgetSpec {
                    scope: Scope::Token,
                    scope_key: new.name.clone(),
                    window,
                    limit_nano,
                    mode: Mode::Stop,
                };
                convergio_ledger::set_budget(tx, tenant.id(), &spec, &zone, Now::system())?;
            }
            Ok(Token {
                token: new,
                created_ms: now_ms,
                last_used_ms: None,
                revoked_ms: None,
            })
        });
        write.await.map_err(WriteError::told)
    }

    async fn revoke(&self, name: &str) -> Result<Option<Token>, RpcError> {
        let (tenant, wanted) = (self.runs().tenant(), name.to_owned());
        let change = self.gateway.presented.change();
        let write = self.store.write("revoke a token", move |tx| {
            let now_ms = now_ms();
            let found = convergio_runs::revoke_token(tx, tenant, &wanted, now_ms)?;
            let revoked = found.map(|mut token| {
                token.revoked_ms.get_or_insert(now_ms);
                token
            });
            // It ends when the transaction's fate is known, whoever waits for that.
            Ok::<_, WriteError>((revoked, change))
        });
        let (revoked, change) = write.await.map_err(WriteError::told)?;
        drop(change);
        self.gateway.forget(name);
        self.tend_gateway().await;
        Ok(revoked)
    }
}

/// Takes a token back when it is dropped: at the end of its connection.
struct Bound {
    daemon: Arc<Daemon>,
    name: String,
}

impl Drop for Bound {
    fn drop(&mut self) {
        let (daemon, name) = (Arc::clone(&self.daemon), std::mem::take(&mut self.name));
        // Without a runtime the daemon is gone, and its next start does it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = daemon.revoke(&name).await {
                    tracing::warn!(%error, name, "a token is taken back at the next start");
                }
            });
        }
    }
}

impl Handle<TokenCreate> for Daemon {
    async fn handle(
        &self,
        call: Call,
        params: TokenCreateParams,
    ) -> Result<TokenCreateResponse, RpcError> {
        let settings = self.settings_of(&call)?;
        check(&settings, &params)?;
        let options = RunOptions {
            policy: params.policy,
            ..RunOptions::default()
        };
        routes::policy_of(&settings, &options)?;
        let max = amount("max_usd", params.max_usd.as_ref())?;
        let daily = amount("daily_usd", params.daily_usd.as_ref())?;
        let all = configured(&settings, &self.models.lists);
        let of_user = all.values().filter(|provider| provider.in_settings);
        providers::ask_for_keys(of_user, &params.keys)?;
        let all = all.into_values();
        let key_variables: BTreeSet<String> = all.flat_map(|one| one.key_env).collect();
        let mut bits = [0_u8; 32];
        getrandom::fill(&mut bits)
            .map_err(|error| failure::internal("no token could be made", error.to_string()))?;
        let text = TokenText::from_random(&bits);
        let now = now_ms();
        let expires = params.expires_in_ms.map(|wait| {
            let wait = i64::try_from(wait).unwrap_or(i64::MAX);
            now.saturating_add(wait)
        });
        let new = NewToken {
            id: Uuid::now_v7(),
            client: params.client.unwrap_or_else(|| params.name.clone()),
            name: params.name,
            hash: text.hash().0,
            root: params.root,
            models: (!params.models.is_empty()).then_some(params.models),
            map: params.model_map,
            policy: params.policy.and_then(policy_text),
            bound: params.while_connected,
            expires_ms: expires,
        };
        let token = self
            .keep_token(new, params.number_name, (max, daily))
            .await?;
        let name = token.token.name.clone();
        self.gateway.keep_keys(&name, params.keys);
        if params.while_connected {
            let bound = Bound {
                daemon: self.shared()?,
                name: name.clone(),
            };
            // Dropped, and the token taken back, also where the gateway cannot be had.
            self.want_gateway(&name).await?;
            call.then(async move {
                let _bound = bound;
                std::future::pending::<()>().await;
            });
        }
        let mut spending = Spending::default();
        spending.limits.insert(name, (max, daily));
        Ok(TokenCreateResponse {
            token: self.token_info(token, &spending),
            secret: SecretText::new(text.expose()),
            key_variables: key_variables.into_iter().collect(),
            gateway: self
                .gateway
                .status(self.configuration.own().gateway().enabled),
        })
    }
}

impl Handle<TokenList> for Daemon {
    async fn handle(&self, _call: Call, _params: Empty) -> Result<TokenListResponse, RpcError> {
        let tenant = self.runs().tenant();
        let read = self.store.read("list tokens", move |conn| {
            convergio_runs::list_tokens(conn, tenant, now_ms())
        });
        let tokens = read.await.map_err(runs_error)?;
        let spending = self.spending().await?;
        let info = |token| self.token_info(token, &spending);
        Ok(TokenListResponse {
            tokens: tokens.into_iter().map(info).collect(),
        })
    }
}

impl Handle<TokenRevoke> for Daemon {
    async fn handle(
        &self,
        _call: Call,
        params: TokenRevokeParams,
    ) -> Result<TokenRevokeResponse, RpcError> {
        let Some(token) = self.revoke(&params.name).await? else {
            return Err(RpcError::new(
                ErrorCode::NotFound,
                format!("there is no token {:?}", params.name),
            )
            .why("it never was")
            .hint("cv token list"));
        };
        let spending = self.spending().await?;
        Ok(TokenRevokeResponse {
            token: self.token_info(token, &spending),
        })
    }
}

impl Handle<GatewayStatus> for Daemon {
    async fn handle(&self, _call: Call, _params: Empty) -> Result<GatewayStatusResponse, RpcError> {
        Ok(self
            .gateway
            .status(self.configuration.own().gateway().enabled))
    }
}

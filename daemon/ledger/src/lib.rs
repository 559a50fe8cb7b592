//! What was used, what it cost, and who allowed it: asked before any byte leaves.
//!
//! The functions take a [`convergio_store::Tx`] or a connection; an adapter composes them with
//! those of other crates into one commit. What holds, whatever the order of calls:
//!
//! - **Permission before effect.** [`admit`] is the one maker of a
//!   [`convergio_models_api::Permitted`] request, and what it hands out is written down as
//!   dispatched in the transaction that hands it out.
//! - **No budget is passed.** What was posted and what is held never exceed a limit when a call is
//!   admitted. What a provider bills beyond its hold is recorded, and stops the budget.
//! - **One attempt, one end.** A hold is resolved once: by [`settle`], or by [`recover`] after a
//!   crash.
//! - **Transfers are never changed**, each carries the hash of the one before, and the figures that
//!   budgets are asked by are a cache of them.
//!
//! Money is `i64` nano-USD, rates are nano-USD for a million units, and there are no floats.

mod adjust;
mod admit;
mod attempt;
mod budget;
mod clock;
mod detail;
mod dispute;
mod error;
mod export;
mod invoice;
mod limits;
mod model_name;
mod money;
mod place;
mod price;
pub mod quota;
mod rates;
mod recompute;
mod reconcile;
mod recover;
mod retention;
mod settle;
mod shock;
mod text_enum;
mod transfer;
mod usage;
mod verify;
mod why;
mod window;

pub use adjust::{Adjusted, apply};
pub use admit::{Admission, OUTPUT_FLOOR, Preview, admit, preview};
pub use attempt::{AttemptState, UsageSource};
pub use budget::{BudgetName, BudgetSpec, BudgetState, Mode, Scope, Window, budgets, unspent_day};
pub use clock::{Now, clock_suspect};
pub use detail::{AttemptDetail, attempts_of_run};
pub use dispute::{Dispute, dispute, dispute_of, disputes, withdraw_dispute};
pub use error::{BudgetDenied, Denied, LedgerError, PolicyReason};
pub use export::{
    AttemptRow, ExportCursor, ExportFilter, ExportPage, TransferRow, export_attempts,
    export_transfers, transfers_of_attempt,
};
pub use invoice::{
    INVOICE_BYTES_MAX, INVOICE_LINES_MAX, Invoice, InvoiceError, InvoiceLine, Shape, parse_invoice,
};
pub use limits::{SETTINGS_BUDGETS_MAX, remove_budget, set_budget, set_day_budget, sync_budgets};
pub use money::{MoneyError, line, line_up, parse_usd, usd, usd_cents};
pub use price::{PriceRow, PriceSheet, PriceVersion, Simple, TierMode, pin, rates};
pub use rates::{Cost, ExplainedLine, Rates, Step};
pub use recompute::AttemptFault;
pub use reconcile::{Difference, Drift, Reconciliation, reconcile};
pub use recover::{Recovered, RecoveredAttempt, recover};
pub use retention::{DETAIL_MS, expired_details, forget_expired};
pub use settle::{AttemptEnding, Settled, Settlement, settle};
pub use shock::{
    ASK_PERCENT, CostOffer, OFFER_MS, SHOCK_FLOOR_NANO, expected_cost, note_asked, offer_cost,
    redeem_cost, shock_limit, usual_output,
};
pub use usage::{
    GroupBy, UsageQuery, UsageReport, UsageRow, UsageTotals, cost_of_run, forget_details,
    median_run_cost, usage,
};
pub use verify::{Bad, Verified, verify};
pub use why::{Counted, Hold, Pinned, WhyAttempt, named_run, why};
pub use window::{WindowDifference, local_zone};

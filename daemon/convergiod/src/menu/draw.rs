//! From what is to a menu: pure, the same facts always make the same menu.

use convergio_contract::menu::{Menu, MenuEntry, MenuIcon, MenuKind};
use convergio_ledger::{usd, usd_cents};
use convergio_tasks::book::glance::{Coming, Waiting};
use jiff::{Timestamp, Zoned};

use super::{
    facts::{Facts, Line, Running, Spend, Trouble},
    inert::inert,
    words::{Language, Words},
};

/// Lines of a group whose entries come from elsewhere.
const LINES_SHOWN: usize = 8;

/// The id of the entry that holds background work back.
pub(super) const PAUSE: &str = "background:pause";

/// Why background work waits because somebody asked for it.
pub(crate) const ASKED: &str = "asked";

/// The menu of these facts.
pub(crate) fn draw(facts: &Facts, language: Language) -> Menu {
    let words = language.words();
    let mut sheet = Sheet::default();
    troubles(facts, words, &mut sheet);
    waiting(facts, words, &mut sheet);
    coming(facts, words, &mut sheet);
    running(facts, words, &mut sheet);
    lines(
        "approvals",
        words.approvals_title,
        &facts.approvals,
        words,
        &mut sheet,
    );
    lines(
        "models",
        words.models_title,
        &facts.models,
        words,
        &mut sheet,
    );
    if let Some(spend) = &facts.spend {
        sheet.group();
        sheet.label("spend", spent(spend, words));
    }
    background(facts, words, &mut sheet);
    Menu {
        icon: icon(facts),
        tooltip: tooltip(facts, words),
        entries: sheet.entries,
    }
}

/// A menu on its way.
#[derive(Default)]
struct Sheet {
    entries: Vec<MenuEntry>,
    separators: u32,
}

fn entry(id: impl Into<String>, kind: MenuKind) -> MenuEntry {
    MenuEntry {
        id: id.into(),
        kind,
    }
}

fn action(id: String, text: &str) -> MenuEntry {
    let text = text.to_owned();
    entry(
        id,
        MenuKind::Action {
            text,
            enabled: true,
        },
    )
}

impl Sheet {
    /// Begins a group: a line parts it from what stands above.
    fn group(&mut self) {
        if !self.entries.is_empty() {
            self.separators += 1;
            let id = format!("line:{}", self.separators);
            self.entries.push(entry(id, MenuKind::Separator));
        }
    }

    fn label(&mut self, id: &str, text: impl Into<String>) {
        let text = text.into();
        self.entries
            .push(entry(format!("label:{id}"), MenuKind::Label { text }));
    }

    fn submenu(&mut self, id: String, text: String, entries: Vec<MenuEntry>) {
        self.entries
            .push(entry(id, MenuKind::Submenu { text, entries }));
    }

    /// Says how many are not shown.
    fn more(&mut self, id: &str, total: u64, shown: usize, words: &Words) {
        let hidden = total.saturating_sub(shown as u64);
        if hidden > 0 {
            self.label(&format!("{id}:more"), (words.more)(hidden));
        }
    }
}

/// A moment in the zone of who looks.
pub(super) fn local(ms: i64, now: &Zoned) -> Zoned {
    let at = Timestamp::from_millisecond(ms).unwrap_or_default();
    at.to_zoned(now.time_zone().clone())
}

fn troubles(facts: &Facts, words: &Words, sheet: &mut Sheet) {
    for (place, trouble) in facts.troubles.iter().enumerate() {
        let text = match trouble {
            Trouble::NotSaving(why) => format!("{}: {}", words.not_saving, inert(why)),
            Trouble::Settings(why) => format!("{}: {}", words.broken_settings, inert(why)),
            Trouble::Unread => words.unread.to_owned(),
        };
        sheet.label(&format!("trouble:{place}"), text);
    }
}

fn answers(of: &str, words: &Words) -> Vec<MenuEntry> {
    vec![
        action(format!("{of}:done"), words.done),
        action(format!("{of}:snooze"), words.snooze_minutes),
        action(format!("{of}:tomorrow"), words.snooze_tomorrow),
    ]
}

fn waiting(facts: &Facts, words: &Words, sheet: &mut Sheet) {
    if facts.waiting.is_empty() {
        return;
    }
    sheet.group();
    sheet.label("waiting", words.waiting_title);
    for one in &facts.waiting {
        let id = format!("reminder:{}", one.occurrence_id);
        let mut entries = answers(&id, words);
        entries.push(action(format!("{id}:dismiss"), words.dismiss));
        sheet.submenu(id, waiting_text(one, facts, words), entries);
    }
    sheet.more("waiting", facts.waiting_total, facts.waiting.len(), words);
}

fn waiting_text(one: &Waiting, facts: &Facts, words: &Words) -> String {
    let at = local(one.due_ms, &facts.now);
    let at = words.moment(&at, &facts.now, one.all_day);
    format!("{at} · {}", inert(&one.title))
}

fn coming(facts: &Facts, words: &Words, sheet: &mut Sheet) {
    sheet.group();
    if facts.coming.is_empty() {
        return sheet.label("coming", words.nothing_next);
    }
    sheet.label("coming", words.next_title);
    for one in &facts.coming {
        let id = format!("task:{}", one.number);
        // When it fires says which one is meant: answered once, it is another one.
        let entries = answers(&format!("{id}:{}", one.fire_ms), words);
        sheet.submenu(id, coming_text(one, facts, words), entries);
    }
}

fn coming_text(one: &Coming, facts: &Facts, words: &Words) -> String {
    let moment = |ms, all_day| words.moment(&local(ms, &facts.now), &facts.now, all_day);
    let fires = moment(one.fire_ms, false);
    let text = format!("{fires} · {}", inert(&one.title));
    match one.fire_ms == one.due_ms {
        true => text,
        false => format!("{text} ({} {})", words.due, moment(one.due_ms, one.all_day)),
    }
}

fn running(facts: &Facts, words: &Words, sheet: &mut Sheet) {
    if facts.running.is_empty() {
        return;
    }
    sheet.group();
    sheet.label("running", words.running_title);
    for one in &facts.running {
        let id = format!("run:{}", one.run_id);
        let entries = vec![action(format!("{id}:cancel"), words.cancel)];
        sheet.submenu(id, running_text(one, facts, words), entries);
    }
    let total = facts.running_total as u64;
    sheet.more("running", total, facts.running.len(), words);
}

fn running_text(one: &Running, facts: &Facts, words: &Words) -> String {
    let kind = match one.kind.as_str() {
        "review" => words.review,
        "chat" => words.question,
        "gateway" => words.program,
        other => other,
    };
    let mut text = kind.to_owned();
    let selection = inert(&one.selection);
    if !selection.is_empty() {
        text.push_str(" · ");
        text.push_str(&selection);
    }
    let at = local(one.started_ms, &facts.now);
    let at = words.moment(&at, &facts.now, false);
    text.push_str(&format!(" · {} {at}", words.since));
    match one.progress.findings {
        0 => {}
        1 => text.push_str(&format!(" · {}", words.one_finding)),
        many => text.push_str(&format!(" · {many} {}", words.findings)),
    }
    if one.progress.characters > 0 {
        let characters = one.progress.characters;
        text.push_str(&format!(" · {characters} {}", words.characters));
    }
    text
}

fn lines(id: &str, title: &str, lines: &[Line], words: &Words, sheet: &mut Sheet) {
    if lines.is_empty() {
        return;
    }
    sheet.group();
    sheet.label(id, title);
    for line in lines.iter().take(LINES_SHOWN) {
        sheet.label(&format!("{id}:{}", line.id), inert(&line.text));
    }
    sheet.more(id, lines.len() as u64, LINES_SHOWN, words);
}

fn spent(spend: &Spend, words: &Words) -> String {
    let mut text = format!(
        "{} {} {} {}",
        words.spent,
        usd(spend.posted_nano),
        words.spent_of,
        usd_cents(spend.limit_nano)
    );
    if spend.pending_nano > 0 {
        text.push_str(&format!(" · {} {}", usd(spend.pending_nano), words.held));
    }
    if spend.used_up {
        text.push_str(" · ");
        text.push_str(words.used_up);
    }
    text
}

fn background(facts: &Facts, words: &Words, sheet: &mut Sheet) {
    sheet.group();
    let reasons = &facts.background.reasons;
    sheet.entries.push(entry(
        PAUSE,
        MenuKind::Check {
            text: words.pause.to_owned(),
            checked: reasons.iter().any(|reason| reason == ASKED),
            enabled: true,
        },
    ));
    let others: Vec<&str> = reasons
        .iter()
        .filter_map(|reason| match reason.as_str() {
            "battery" => Some(words.battery),
            "offline" => Some(words.offline),
            "sleep" => Some(words.sleep),
            _ => None,
        })
        .collect();
    if !others.is_empty() {
        let text = format!("{}: {}", words.held_back, others.join(", "));
        sheet.label("background", text);
    }
}

fn icon(facts: &Facts) -> MenuIcon {
    let used_up = facts.spend.is_some_and(|spend| spend.used_up);
    if !facts.troubles.is_empty() || used_up {
        MenuIcon::Trouble
    } else if facts.waiting_total > 0 || !facts.approvals.is_empty() {
        MenuIcon::Attention
    } else if facts.running_total > 0 {
        MenuIcon::Busy
    } else {
        MenuIcon::Idle
    }
}

fn tooltip(facts: &Facts, words: &Words) -> String {
    let mut parts = Vec::new();
    match facts.waiting_total {
        0 => {}
        1 => parts.push(words.one_waits.to_owned()),
        many => parts.push(format!("{many} {}", words.many_wait)),
    }
    if let (0, Some(first)) = (facts.waiting_total, facts.coming.first()) {
        let at = words.moment(&local(first.fire_ms, &facts.now), &facts.now, false);
        parts.push(format!("{}: {at}", words.next));
    }
    if facts.running_total > 0 {
        parts.push(format!("{} {}", facts.running_total, words.running));
    }
    if let Some(spend) = &facts.spend {
        parts.push(format!("{} {}", usd(spend.posted_nano), words.spent_today));
    }
    parts.join(" · ")
}

#[cfg(test)]
mod tests;

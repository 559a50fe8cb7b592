//! The words of lists and answers in the languages that times are understood in.

use convergio_contract::task::{OccurrenceState, Priority, TaskState};

/// A language that answers are given in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Italian.
    Italian,
}

impl Language {
    /// Its words.
    pub const fn words(self) -> &'static Words {
        match self {
            Self::English => &ENGLISH,
            Self::Italian => &ITALIAN,
        }
    }
}

/// The words of one language.
#[derive(Debug)]
pub struct Words {
    /// This day.
    pub today: &'static str,
    /// The day after.
    pub tomorrow: &'static str,
    /// The day before.
    pub yesterday: &'static str,
    /// Monday first.
    pub weekdays: [&'static str; 7],
    /// January first.
    pub months: [&'static str; 12],
    /// In front of a command that takes it back.
    pub back: &'static str,
    /// In front of a clock time that is nothing else.
    pub at: &'static str,
    /// In front of what comes again.
    pub every: &'static str,
    /// Its time has passed.
    pub overdue: &'static str,
    /// What comes after today.
    pub next: &'static str,
    /// Reminders that nobody answered.
    pub reminders: &'static str,
    /// Tasks without time and project.
    pub unsorted: &'static str,
    /// Column: when it is due.
    pub due: &'static str,
    /// Column: how much it matters.
    pub priority: &'static str,
    /// Column: where it stands.
    pub state: &'static str,
    /// Column: what it belongs to.
    pub project: &'static str,
    /// Column: tags.
    pub tags: &'static str,
    /// Column: the title.
    pub task: &'static str,
    /// Row: the notes.
    pub notes: &'static str,
    /// Row: how it comes again.
    pub repeats: &'static str,
    /// Row: what it is a part of.
    pub part_of: &'static str,
    /// Row: its parts.
    pub parts: &'static str,
    /// Row: snoozed until.
    pub snoozed: &'static str,
    /// Behind what is done, in front of its next time.
    pub next_time: &'static str,
    /// It is gone.
    pub removed: &'static str,
    /// Row: the next reminder.
    pub reminder: &'static str,
    /// Row: when it was made.
    pub created: &'static str,
    /// Row: when it was done.
    pub completed: &'static str,
    more_one: &'static str,
    more: &'static str,
    /// It was so already.
    pub unchanged: &'static str,
    /// A reminder that came late.
    pub late: &'static str,
    /// One earlier reminder that this one stands for.
    pub earlier_one: &'static str,
    /// Behind a number, earlier ones.
    pub earlier: &'static str,
    /// In front of a reminder that nobody saw.
    pub missed: &'static str,
    /// Nothing is due and nothing waits.
    pub nothing_today: &'static str,
    /// Nothing waits.
    pub nothing_waits: &'static str,
    /// No task fits.
    pub none_fit: &'static str,
    /// There is no task.
    pub no_tasks: &'static str,
    low: &'static str,
    medium: &'static str,
    high: &'static str,
    open: &'static str,
    waiting: &'static str,
    done: &'static str,
    cancelled: &'static str,
    /// Claimed, shown, missed, seen, done, snoozed, dismissed.
    fates: [&'static str; 7],
}

impl Words {
    /// `3 more`: what is not listed.
    pub fn more(&self, count: u64) -> String {
        let word = if count == 1 { self.more_one } else { self.more };
        format!("{count} {word}")
    }

    /// A priority.
    pub const fn priority_of(&self, priority: Priority) -> &'static str {
        match priority {
            Priority::Low => self.low,
            Priority::Medium => self.medium,
            Priority::High => self.high,
        }
    }

    /// A state.
    pub const fn state_of(&self, state: TaskState) -> &'static str {
        match state {
            TaskState::Open => self.open,
            TaskState::Waiting => self.waiting,
            TaskState::Done => self.done,
            TaskState::Cancelled => self.cancelled,
        }
    }

    /// What became of a reminder.
    pub const fn fate_of(&self, state: OccurrenceState) -> &'static str {
        self.fates[match state {
            OccurrenceState::Claimed => 0,
            OccurrenceState::Shown => 1,
            OccurrenceState::Missed => 2,
            OccurrenceState::Seen => 3,
            OccurrenceState::Done => 4,
            OccurrenceState::Snoozed => 5,
            OccurrenceState::Dismissed => 6,
        }]
    }
}

const ENGLISH: Words = Words {
    today: "today",
    tomorrow: "tomorrow",
    yesterday: "yesterday",
    weekdays: ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
    months: [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ],
    back: "back",
    at: "at",
    every: "every",
    overdue: "Overdue",
    next: "Next",
    reminders: "Reminders",
    unsorted: "Unsorted",
    due: "due",
    priority: "priority",
    state: "state",
    project: "project",
    tags: "tags",
    task: "task",
    notes: "notes",
    repeats: "repeats",
    part_of: "part of",
    parts: "parts",
    snoozed: "snoozed until",
    next_time: "next",
    removed: "removed",
    reminder: "next reminder",
    created: "created",
    completed: "done",
    more_one: "more",
    more: "more",
    unchanged: "it was so already",
    late: "late",
    earlier_one: "1 earlier one",
    earlier: "earlier ones",
    missed: "Missed",
    nothing_today: "Nothing is due today, and nothing waits.",
    nothing_waits: "Nothing waits.",
    none_fit: "No task fits. All that are open: `cv tasks`",
    no_tasks: "No open tasks. One: `cv remind \"call Mario tomorrow at 9\"`",
    low: "low",
    medium: "medium",
    high: "high",
    open: "open",
    waiting: "waiting",
    done: "done",
    cancelled: "cancelled",
    fates: [
        "on its way",
        "shown",
        "missed",
        "seen",
        "done",
        "snoozed",
        "dismissed",
    ],
};

const ITALIAN: Words = Words {
    today: "oggi",
    tomorrow: "domani",
    yesterday: "ieri",
    weekdays: ["lun", "mar", "mer", "gio", "ven", "sab", "dom"],
    months: [
        "gen", "feb", "mar", "apr", "mag", "giu", "lug", "ago", "set", "ott", "nov", "dic",
    ],
    back: "annulla",
    at: "alle",
    every: "ogni",
    overdue: "Scadute",
    next: "Prossime",
    reminders: "Promemoria",
    unsorted: "Da ordinare",
    due: "scadenza",
    priority: "priorità",
    state: "stato",
    project: "progetto",
    tags: "etichette",
    task: "attività",
    notes: "note",
    repeats: "si ripete",
    part_of: "parte di",
    parts: "parti",
    snoozed: "rimandata a",
    next_time: "prossima volta",
    removed: "tolta",
    reminder: "prossimo promemoria",
    created: "creata",
    completed: "fatta",
    more_one: "altra",
    more: "altre",
    unchanged: "era già così",
    late: "in ritardo",
    earlier_one: "1 precedente",
    earlier: "precedenti",
    missed: "Perso",
    nothing_today: "Niente in scadenza oggi, e niente in attesa.",
    nothing_waits: "Niente in attesa.",
    none_fit: "Nessuna attività corrisponde. Tutte quelle aperte: `cv tasks`",
    no_tasks: "Nessuna attività aperta. Per crearne una: `cv remind \"chiama Mario domani alle 9\"`",
    low: "bassa",
    medium: "media",
    high: "alta",
    open: "aperta",
    waiting: "in attesa",
    done: "fatta",
    cancelled: "annullata",
    fates: [
        "in arrivo",
        "mostrato",
        "perso",
        "visto",
        "fatto",
        "rimandato",
        "chiuso",
    ],
};

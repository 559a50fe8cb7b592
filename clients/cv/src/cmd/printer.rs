//! A review on its way to stdout: the format, what it has seen so far, and how it ends.

use convergio_contract::{ErrorCode, EventBody, RunEvent, finding::Severity};

use crate::{
    context::{Context, ErrorForm},
    error::{Failure, Kind},
    exit::Exit,
    hint::Hint,
    output::{Answer, escape, paint::Role},
    render::{Detail, Renderer, Report, ReviewFormat, renderer, report::End, text},
};

/// A format, what it has seen, and its failure.
pub struct Printer {
    format: ReviewFormat,
    detail: Detail,
    renderer: Box<dyn Renderer>,
    /// What is known so far.
    pub report: Report,
    /// The end was printed; a failure has no place on stdout any more.
    ended: bool,
}

impl Printer {
    /// A printer for a format; errors on stdout are its own business from here on.
    pub fn new(format: ReviewFormat, context: &mut Context) -> Self {
        context.error_form = ErrorForm::Notes;
        let detail = Detail {
            verbose: context.global.verbose,
            ..Detail::default()
        };
        Self {
            format,
            detail,
            renderer: renderer(format, detail),
            report: Report::default(),
            ended: false,
        }
    }

    /// Sets how many findings text shows before it holds any back. Before the first event only.
    pub fn max_findings(&mut self, max_findings: u32) {
        self.detail.max_findings = max_findings;
        self.renderer = renderer(self.format, self.detail);
    }

    /// Says that the result is not kept. Before the first event only.
    pub fn ephemeral(&mut self) {
        self.detail.ephemeral = true;
        self.renderer = renderer(self.format, self.detail);
    }

    /// Takes an event in and prints what the format prints on arrival.
    pub fn event(&mut self, event: &RunEvent, answer: &mut Answer) -> Result<(), Failure> {
        self.report.take(event);
        if let EventBody::Failed { .. } | EventBody::Cancelled { .. } = event.body
            && self.format != ReviewFormat::Ndjson
        {
            return Ok(());
        }
        self.renderer.event(event, answer)
    }

    /// Says that nothing has arrived for a while.
    pub fn heartbeat(&mut self, at_ms: i64, answer: &mut Answer) -> Result<(), Failure> {
        self.renderer.heartbeat(at_ms, answer)
    }

    /// The empty state: an answer, not an error.
    pub fn nothing(
        &mut self,
        what: &str,
        way_out: &Hint,
        context: &mut Context,
    ) -> Result<Exit, Failure> {
        self.report.end = Some(End::Completed);
        if matches!(self.format, ReviewFormat::Text | ReviewFormat::Md) {
            let text = format!("{what} {way_out}");
            let text = context.answer.layout.text(&text, Role::Plain, 2);
            context.answer.write(&text)?;
        } else {
            self.renderer.end(&self.report, &mut context.answer)?;
            context.notes.note(what);
        }
        context.answer.flush()?;
        Ok(Exit::Ok)
    }

    /// Prints the end of a run that ended, and says how the process ends.
    pub fn end(
        &mut self,
        fail_on: Option<Severity>,
        context: &mut Context,
    ) -> Result<Exit, Failure> {
        match self.report.end.clone() {
            Some(End::Completed) => {}
            Some(End::Failed(error)) => return Err(error.into()),
            Some(End::Cancelled(reason)) => {
                return Err(Failure::new(
                    Kind::Rpc(ErrorCode::Cancelled),
                    "The review was cancelled",
                    reason,
                    Hint::AGAIN,
                ));
            }
            None => {
                return Err(Failure::new(
                    Kind::Unreachable,
                    "The review has no end",
                    "its events stopped before it was complete",
                    Hint::DOCTOR_AND_LOGS,
                ));
            }
        }
        if self.report.found_nothing_to_read() {
            return self.nothing(
                "Nothing to review: the commits on stdin change no file.",
                &Hint::EMPTY_COMMITS,
                context,
            );
        }
        self.renderer.end(&self.report, &mut context.answer)?;
        context.answer.flush()?;
        self.ended = true;
        if self.format == ReviewFormat::Text {
            let hints = text::hints(&self.report);
            if hints.is_empty() {
                // Nothing to do.
            } else if self.detail.ephemeral {
                context
                    .notes
                    .note("Ephemeral: not kept, so no cv fix and no cv allow");
            } else {
                context.notes.pieces(&hints, 0);
            }
        } else {
            for reason in &self.report.coverage.unreviewed {
                context
                    .notes
                    .note(&format!("not reviewed: {}", escape::line(reason)));
            }
        }
        match self.report.shortfall() {
            Some(failure) => Err(failure),
            None => Ok(self.report.exit(fail_on)),
        }
    }

    /// Lets the format tell a failure.
    pub fn close(
        &mut self,
        outcome: Result<Exit, Failure>,
        context: &mut Context,
    ) -> Result<Exit, Failure> {
        if let Err(failure) = &outcome
            && !self.ended
            && !matches!(failure.kind, Kind::ReaderGone | Kind::Output)
        {
            context.notes.still();
            self.renderer
                .failed(&self.report, failure, &mut context.answer)
                .and_then(|()| context.answer.flush())?;
        }
        outcome
    }
}

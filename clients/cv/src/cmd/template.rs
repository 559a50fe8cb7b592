//! `cv template`

use convergio_client::Client;
use convergio_contract::{
    method::Empty,
    template::{
        Template, TemplateList, TemplateListResponse, TemplateRemove, TemplateRemoveParams,
        TemplateSave,
    },
};

use crate::{
    ask::input,
    context::Context,
    daemon::{self, Start},
    error::{Failure, Kind},
    exit::Exit,
    hint::Hint,
    output::{escape, layout::Piece, paint::Role},
    stdin,
    table::{Cell, Format, Table, cell, show, styled},
    waiting,
};

/// A prompt is shorter.
const PROMPT_MAX_BYTES: usize = 256 * 1024;
/// Longer commands than this are no way back that anybody types.
const BACK_MAX_BYTES: usize = 400;

/// Saves, lists and removes prompts for `cv ask -t NAME`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// What to do; without it, list.
    #[command(subcommand)]
    pub verb: Option<Verb>,
    /// How to print it.
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        global = true
    )]
    pub format: Format,
}

/// What to do with templates.
#[derive(clap::Subcommand, Debug)]
pub enum Verb {
    /// Saves a prompt, in place of the one of that name.
    Save {
        /// Letters, digits, `-` and `_`.
        #[arg(value_hint = clap::ValueHint::Other)]
        name: String,
        /// The prompt; without it, what stands on stdin. `{{name}}` stands for a variable,
        /// `{{input}}` for what is asked with it.
        #[arg(value_name = "PROMPT", value_hint = clap::ValueHint::Other)]
        prompt: Vec<String>,
        /// Standing instructions.
        #[arg(long, value_name = "TEXT", value_hint = clap::ValueHint::Other)]
        system: Option<String>,
        /// The model it is for.
        #[arg(short, long, value_name = "MODEL", value_hint = clap::ValueHint::Other)]
        model: Option<String>,
    },
    /// Lists them.
    List,
    /// Shows one.
    Show {
        /// Its name.
        #[arg(value_hint = clap::ValueHint::Other)]
        name: String,
    },
    /// Removes one.
    Remove {
        /// Its name.
        #[arg(value_hint = clap::ValueHint::Other)]
        name: String,
    },
}

/// Does it.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    match args.verb.unwrap_or(Verb::List) {
        Verb::Save {
            name,
            prompt,
            system,
            model,
        } => {
            let template = Template {
                name,
                prompt: prompt_text(&prompt, context)?,
                system,
                model,
            };
            save(template, args.format, context)
        }
        Verb::List => {
            let listed = list(context)?;
            if listed.templates.is_empty() && matches!(args.format, Format::Text | Format::Md) {
                context.answer.say(
                    "No templates yet. First one: \
                     `cv template save tldr \"Summarize in {{lines}} lines: {{input}}\"`",
                )?;
                return Ok(Exit::Ok);
            }
            let table = Table {
                headers: vec!["template", "model", "prompt"],
                rows: listed.templates.iter().map(row).collect(),
            };
            show(
                &mut context.answer,
                args.format,
                &table,
                &listed,
                Some(("templates", "template")),
            )?;
            Ok(Exit::Ok)
        }
        Verb::Show { name } => {
            let listed = list(context)?;
            let template = listed
                .templates
                .iter()
                .find(|template| template.name == name)
                .ok_or_else(|| unknown(&name))?;
            one(template, args.format, context)
        }
        Verb::Remove { name } => remove(name, args.format, context),
    }
}

fn prompt_text(words: &[String], context: &mut Context) -> Result<String, Failure> {
    let (prompt, dash) = input::prompt(words);
    if !prompt.is_empty() {
        return Ok(prompt);
    }
    let missing = |why: &str| {
        Failure::new(
            Kind::Usage,
            "There is no prompt to save",
            why,
            Hint::TEMPLATES,
        )
    };
    if !dash && stdin::source() == stdin::Source::Nothing {
        return Err(missing("none was given, and nothing stands on stdin"));
    }
    let reading = waiting::on_thread(|| stdin::read_all(PROMPT_MAX_BYTES));
    let bytes = waiting::wait(context, "waiting for the prompt on stdin", reading)?;
    let text = input::text(bytes, "The prompt")?;
    if text.trim().is_empty() {
        return Err(missing("stdin was empty"));
    }
    Ok(text)
}

fn list(context: &mut Context) -> Result<TemplateListResponse, Failure> {
    daemon::call(
        context,
        Start::IfNeeded,
        "asking for the templates",
        |client: Client| async move { client.call::<TemplateList>(&Empty {}).await },
    )
}

fn row(template: &Template) -> Vec<Cell> {
    let mut beginning: String = template.prompt.chars().take(80).collect();
    if beginning.len() < template.prompt.len() {
        beginning.push('…');
    }
    vec![
        styled(template.name.as_str(), Role::Strong),
        cell(template.model.as_deref().unwrap_or("–")),
        cell(beginning.replace('\n', " ")),
    ]
}

fn one(template: &Template, format: Format, context: &mut Context) -> Result<Exit, Failure> {
    if matches!(format, Format::Json | Format::Ndjson) {
        show(
            &mut context.answer,
            format,
            &Table::default(),
            template,
            None,
        )?;
        return Ok(Exit::Ok);
    }
    context.answer.line(&escape::shown(&template.prompt))?;
    context.answer.flush()?;
    if let Some(system) = &template.system {
        context
            .notes
            .note(&format!("system: {}", escape::line(system)));
    }
    if let Some(model) = &template.model {
        context
            .notes
            .note(&format!("model: {}", escape::line(model)));
    }
    Ok(Exit::Ok)
}

fn save(template: Template, format: Format, context: &mut Context) -> Result<Exit, Failure> {
    let name = template.name.clone();
    let saved = daemon::call(
        context,
        Start::IfNeeded,
        "saving the template",
        |client: Client| async move { client.call::<TemplateSave>(&template).await },
    )?;
    if matches!(format, Format::Json | Format::Ndjson) {
        show(&mut context.answer, format, &Table::default(), &saved, None)?;
        return Ok(Exit::Ok);
    }
    let name = escape::line(&name).into_owned();
    match &saved.replaced {
        None => done(
            &format!("Saved template {name}"),
            &format!("cv template remove {name}"),
            context,
        )?,
        Some(before) => done(
            &format!("Replaced template {name}"),
            &again(before),
            context,
        )?,
    }
    context
        .notes
        .note(&format!("Use it: cv ask -t {name} \"…\""));
    Ok(Exit::Ok)
}

fn remove(name: String, format: Format, context: &mut Context) -> Result<Exit, Failure> {
    let params = TemplateRemoveParams { name: name.clone() };
    let removed = daemon::call(
        context,
        Start::IfNeeded,
        "removing the template",
        |client: Client| async move { client.call::<TemplateRemove>(&params).await },
    )?;
    let Some(before) = &removed.removed else {
        return Err(unknown(&name));
    };
    if matches!(format, Format::Json | Format::Ndjson) {
        show(
            &mut context.answer,
            format,
            &Table::default(),
            &removed,
            None,
        )?;
        return Ok(Exit::Ok);
    }
    done(
        &format!("Removed template {}", escape::line(&name)),
        &again(before),
        context,
    )?;
    Ok(Exit::Ok)
}

fn done(what: &str, back: &str, context: &mut Context) -> Result<(), Failure> {
    let text = context.answer.layout.pieces(
        &[
            Piece::new("", what, Role::Good),
            Piece::new(" · ", format!("back: {back}"), Role::Plain),
        ],
        2,
    );
    context.answer.write(&text)?;
    context.answer.flush()
}

/// The command that saves a template as it was.
fn again(template: &Template) -> String {
    let mut command = format!("cv template save {}", quoted(&template.name));
    if let Some(system) = &template.system {
        command.push_str(&format!(" --system {}", quoted(system)));
    }
    if let Some(model) = &template.model {
        command.push_str(&format!(" --model {}", quoted(model)));
    }
    command.push_str(&format!(" -- {}", quoted(&template.prompt)));
    if command.len() > BACK_MAX_BYTES {
        // The whole command all the same: it is the only copy left.
        command.insert(0, '\n');
    }
    command
}

/// A word as a POSIX shell reads it back; control characters in `$'…'`.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    if !text.chars().any(escape::is_unsafe) {
        return format!("'{}'", text.replace('\'', "'\\''"));
    }
    let mut out = String::from("$'");
    for c in text.chars() {
        match c {
            '\'' => out.push_str("\\'"),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if escape::is_unsafe(c) => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    out.push_str(&format!("\\x{byte:02x}"));
                }
            }
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

fn unknown(name: &str) -> Failure {
    Failure::new(
        Kind::NotFound,
        format!("There is no template {name}"),
        "none of that name is saved",
        Hint::TEMPLATES,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_a_command_that_a_shell_reads_as_it_was() {
        let template = Template {
            name: "tldr".to_owned(),
            prompt: "It's {{input}}\n\u{1b}".to_owned(),
            system: Some("Be brief".to_owned()),
            model: None,
        };
        assert_eq!(
            again(&template),
            "cv template save tldr --system 'Be brief' -- $'It\\'s {{input}}\\n\\x1b'"
        );
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}

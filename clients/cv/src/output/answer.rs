//! stdout: the answer, and nothing else.

use std::io::{BufWriter, Write};

use super::{layout::Layout, paint::Role};
use crate::error::Failure;

/// The answer's stream. Every write may fail: a reader that went away ends the program quietly,
/// any other error loudly.
pub struct Answer {
    writer: BufWriter<Box<dyn Write + Send>>,
    /// How text is laid out here.
    pub layout: Layout,
    /// A person reads it as it appears.
    pub is_terminal: bool,
}

impl Answer {
    /// An answer that goes to a writer.
    pub fn new(writer: Box<dyn Write + Send>, layout: Layout, is_terminal: bool) -> Self {
        Self {
            writer: BufWriter::with_capacity(64 * 1024, writer),
            layout,
            is_terminal,
        }
    }

    /// Writes text as it is; the caller has escaped it.
    pub fn write(&mut self, text: &str) -> Result<(), Failure> {
        self.writer
            .write_all(text.as_bytes())
            .map_err(|error| Failure::output(&error))
    }

    /// Writes text and a newline.
    pub fn line(&mut self, text: &str) -> Result<(), Failure> {
        self.write(text)?;
        self.write("\n")
    }

    /// Writes a sentence for a person, wrapped where the terminal is narrow.
    pub fn say(&mut self, text: &str) -> Result<(), Failure> {
        let text = self.layout.text(text, Role::Plain, 2);
        self.write(&text)
    }

    /// Writes a value as one line of JSON.
    pub fn json(&mut self, value: &impl serde::Serialize) -> Result<(), Failure> {
        let text = super::escape::json(value).map_err(|error| Failure::output(&error.into()))?;
        self.line(&text)
    }

    /// Hands everything to the reader.
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.writer.flush().map_err(|error| Failure::output(&error))
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // The edge has flushed and reported; what is left after a failure must not be retried
        // against a stream that already refused it.
        let mut nothing: Box<dyn Write + Send> = Box::new(std::io::sink());
        std::mem::swap(self.writer.get_mut(), &mut nothing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn a_full_device_is_an_error_and_a_closed_pipe_is_quiet() {
        struct Refusing(std::io::ErrorKind);
        impl Write for Refusing {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        for (kind, exit) in [
            (std::io::ErrorKind::StorageFull, Exit::Internal),
            (std::io::ErrorKind::BrokenPipe, Exit::Ok),
        ] {
            let mut answer = Answer::new(Box::new(Refusing(kind)), Layout::default(), false);
            answer.line("words").expect("buffered");
            let failure = answer.flush().expect_err("refused");
            assert_eq!(failure.exit(), exit);
        }
    }
}

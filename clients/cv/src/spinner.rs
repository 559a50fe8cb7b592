//! A spinner on stderr that says what is happening, on a terminal only.

use std::{future::Future, pin::pin, time::Duration};

use crate::output::Notes;

const FRAMES: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
/// What ends sooner than this needs no spinner.
const QUIET_MS: u64 = 250;
const FRAME_MS: u64 = 100;

/// Waits for a future and shows what is going on meanwhile.
pub async fn during<F: Future>(notes: &mut Notes, message: &str, future: F) -> F::Output {
    if !notes.animated {
        return future.await;
    }
    let mut future = pin!(future);
    if let Ok(output) = tokio::time::timeout(Duration::from_millis(QUIET_MS), &mut future).await {
        return output;
    }
    let mut ticks = tokio::time::interval(Duration::from_millis(FRAME_MS));
    let mut frame = 0;
    let output = loop {
        tokio::select! {
            biased;
            output = &mut future => break output,
            _ = ticks.tick() => {
                notes.spin(FRAMES[frame % FRAMES.len()], message);
                frame += 1;
            }
        }
    };
    notes.still();
    output
}

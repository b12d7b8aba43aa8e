//! How things look on a terminal. Colours vanish where standard output is none (and with `NO_COLOR`).

use anstyle::{AnsiColor, Style};
use attendant::host::line::{Line, LineError};
use attendant::host::log::Entry;
use attendant::understanding::classifier::Progress;
use indicatif::{ProgressBar, ProgressStyle};

pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(crate) const HEAD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
const CALLER: Style = AnsiColor::Cyan.on_default();
const LINE: Style = AnsiColor::Yellow.on_default();
const MEASURED: Style = AnsiColor::Green.on_default();

/// Prints one line of a timeline.
pub(crate) fn entry(entry: &Entry) {
    let style = match (entry.side, entry.text.starts_with("say ")) {
        ('>', _) => CALLER,
        ('<', true) => LINE,
        ('=', _) => MEASURED,
        _ => DIM,
    };
    anstream::println!(
        "{}{}{} {}{} {}{}",
        DIM.render(),
        entry.at,
        DIM.render_reset(),
        style.render(),
        entry.side,
        entry.text,
        style.render_reset()
    );
}

/// A bar of `length` steps on standard error; nothing where that is no terminal.
pub(crate) fn bar(length: u64, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    let style = ProgressStyle::with_template("{msg:24} {wide_bar} {pos}/{len} {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(what.to_owned());
    bar
}

/// A line at the bottom of the terminal for the microphone's level.
#[cfg(feature = "mic")]
pub(crate) fn meter() -> ProgressBar {
    let meter = ProgressBar::new_spinner();
    meter.set_style(
        ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    meter
}

/// Opens the line; training and rendering that have to be done first show a bar.
pub(crate) fn open_line(config: &attendant::config::Config) -> Result<Line, LineError> {
    let mut bars = TrainingBars::default();
    let line = Line::open(config, &mut |progress| bars.show(&progress));
    bars.finish();
    line
}

/// Bars for the parts of a training.
#[derive(Default)]
pub(crate) struct TrainingBars(Option<(String, ProgressBar)>);

impl TrainingBars {
    pub(crate) fn show(&mut self, progress: &Progress) {
        let (what, done, of) = super::train::progress_parts(progress);
        if self.0.as_ref().is_none_or(|(shown, _)| *shown != what) {
            self.finish();
            self.0 = Some((what.clone(), bar(of, &what)));
        }
        if let Some((_, bar)) = &self.0 {
            bar.set_position(done);
        }
    }

    pub(crate) fn finish(&mut self) {
        if let Some((_, bar)) = self.0.take() {
            bar.finish_and_clear();
        }
    }
}

/// A share as a percentage.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

//! `attendant test speech`: measures the ear alone, on recordings of people.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;

use attendant::audio::Law;
use attendant::call::Expect;
use attendant::config::Config;
use attendant::host::clips::{self, Clip};
use attendant::host::hearing::{self, ClipReport, Conditions, Figures, HearingReport};
use attendant::host::line::speech_model_file;
use attendant::host::wordless::{self, Invented, Invention, Wordless};
use attendant::speech::asr::{Bias, Guards, Settings, WhisperModel, WhisperRecognizer};
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::show;

/// Sets of noise: their recordings hold no words, or none that can be followed.
const NOISES: &str = "noise";

/// Speakers shown of those that are heard worst.
const WORST: usize = 8;

#[derive(Debug, Args)]
#[command(
    after_help = "A manifest is a table with a heading, parted by tabs: path (FLAC or WAV, from the manifest's \
    folder), and where they are known transcript, speaker and source. Each recording goes through the telephone's \
    band and G.711, voice activity, end-pointing, and the recogniser with its guards, as on a call.\n\n\
    Right is the same number, the same answer (yes, no, I don't know), or the same words. A speaker counts as \
    never heard where models/starter-en kept them out of training."
)]
pub(crate) struct SpeechArgs {
    /// Recordings and what is said in them [default: manifest.tsv in $ATTENDANT_SPEECH or ../shared/speech]
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Only these sets: the first folder of a recording's path
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    sets: Vec<String>,
    /// Only speakers that the project's own ear was not trained on
    #[arg(long)]
    unheard: bool,
    /// So many of the recordings, spread evenly, instead of all
    #[arg(long, value_name = "CLIPS")]
    sample: Option<usize>,
    /// Another speech model: a GGML file, or a name in models/manifest.toml
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Also with pink noise so many decibels below the speech, each in turn
    #[arg(long, value_name = "DB", value_delimiter = ',', allow_hyphen_values = true)]
    snr: Vec<f32>,
    /// The telephone between mouth and ear
    #[arg(long, value_enum, default_value_t = LineName::Mu)]
    line: LineName,
    /// Also with decoding constrained to numbers, or to yes and no, where those are said
    #[arg(long)]
    constrained: bool,
    /// What words cost that were not asked for, in nats (1 makes a word 2.7 times less likely)
    #[arg(long, value_name = "NATS", requires = "constrained")]
    bias: Option<f32>,
    /// Believe whatever the recogniser hears, as if there were no guards
    #[arg(long)]
    no_guards: bool,
    /// Instead: words invented in an hour of noise, music and silence, with and without the guards
    #[arg(long)]
    non_speech: bool,
    /// Length of that hour
    #[arg(long, value_name = "MINUTES", default_value_t = 60.0, requires = "non_speech")]
    minutes: f64,
    /// Share of recordings that must be heard right, or with --non-speech most words an hour; else the exit code is 1
    #[arg(long, value_name = "BAR")]
    bar: Option<f64>,
    /// Print each recording that was heard wrong, or each sound taken for words, with the hypotheses
    #[arg(long)]
    explain: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LineName {
    /// 300 to 3,400 Hz and G.711 µ-law
    Mu,
    /// 300 to 3,400 Hz and G.711 A-law
    A,
    /// The recording as it is
    Wide,
}

impl LineName {
    fn law(self) -> Option<Law> {
        match self {
            LineName::Mu => Some(Law::Mu),
            LineName::A => Some(Law::A),
            LineName::Wide => None,
        }
    }
}

#[derive(Debug, Default, Serialize)]
struct InventedReport {
    /// As on a call, nothing in particular asked: voice activity, end-pointing, and the recogniser's guards.
    guarded: Invented,
    /// The same after a question for a number.
    after_number: Invented,
    /// The same after a yes-or-no question.
    after_yes_no: Invented,
    /// All of the sound to a recogniser that believes everything.
    unguarded: Invented,
    /// The guarded figures by recording.
    by_recording: BTreeMap<String, Invented>,
    /// Each turn that came to words, with its recording.
    inventions: Vec<(String, Invention)>,
}

pub(crate) fn run(config: &Config, args: &SpeechArgs) -> anyhow::Result<ExitCode> {
    let manifest = args.manifest.clone().unwrap_or_else(clips::default_manifest);
    let chosen = choose(args, clips::read(&manifest)?)?;
    if args.non_speech { run_wordless(config, args, &chosen) } else { run_clips(config, args, &chosen) }
}

fn choose(args: &SpeechArgs, all: Vec<Clip>) -> anyhow::Result<Vec<Clip>> {
    let sets: BTreeSet<String> = all.iter().map(|c| c.set.clone()).collect();
    let listed = sets.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    for name in &args.sets {
        anyhow::ensure!(sets.contains(name), "--sets {name}: the manifest has {listed}");
    }
    let wanted = |c: &Clip| match args.sets.is_empty() {
        false => args.sets.contains(&c.set),
        true => !args.non_speech || c.set.starts_with(NOISES),
    };
    let usable = |c: &Clip| args.non_speech || (c.words.is_some() && !(args.unheard && c.is_trained_on()));
    let kept: Vec<Clip> = all.into_iter().filter(|c| wanted(c) && usable(c)).collect();
    let what = if args.non_speech { "with noise" } else { "with a transcript" };
    anyhow::ensure!(
        !kept.is_empty(),
        "the manifest has no recording {what} in the sets chosen; it has {listed}"
    );
    let Some(sample) = args.sample else { return Ok(kept) };
    let (n, total) = (sample.clamp(1, kept.len()), kept.len());
    let places: BTreeSet<usize> = (0..n).map(|i| i * total / n).collect();
    Ok(kept.into_iter().enumerate().filter(|(i, _)| places.contains(i)).map(|(_, c)| c).collect())
}

fn open(config: &Config, args: &SpeechArgs, settings: Settings) -> anyhow::Result<WhisperRecognizer> {
    let mut config = config.clone();
    if let Some(model) = &args.model {
        config.set_flag("speech_model", model);
    }
    Ok(WhisperModel::load(&speech_model_file(&config)?, settings)?.recognizer()?)
}

fn settings(args: &SpeechArgs) -> anyhow::Result<Settings> {
    let mut settings = Settings::default();
    if args.no_guards {
        settings.guards = Guards::NONE;
    }
    if let Some(nats) = args.bias {
        anyhow::ensure!((0.0..=20.0).contains(&nats), "--bias {nats}: expected nats from 0 to 20");
        settings.bias = Bias { digits: nats, yes_no: nats, spelled: nats, choice: nats };
    }
    Ok(settings)
}

fn run_clips(config: &Config, args: &SpeechArgs, chosen: &[Clip]) -> anyhow::Result<ExitCode> {
    let recognizer = open(config, args, settings(args)?)?;
    let noises: Vec<Option<f32>> = std::iter::once(None).chain(args.snr.iter().map(|db| Some(*db))).collect();
    let bar = show::bar((chosen.len() * noises.len()) as u64, "recordings");
    let mut reports = Vec::new();
    for clip in chosen {
        let pcm = clip.read()?;
        for snr_db in &noises {
            let conditions = Conditions { law: args.line.law(), snr_db: *snr_db };
            reports.push(hearing::hear(&recognizer, clip, &pcm, conditions, args.constrained)?);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let report = hearing::summarize(reports);
    if args.json {
        anstream::println!("{}", serde_json::to_string(&report)?);
    } else {
        print(&report, args);
    }
    Ok(verdict(args.bar.is_none_or(|bar| report.all.right >= bar)))
}

fn verdict(reached: bool) -> ExitCode {
    if reached { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print(report: &HearingReport, args: &SpeechArgs) {
    if args.explain {
        report.clips.iter().filter(|c| !c.right).for_each(explain);
        anstream::println!();
    }
    heading("by set and what is said");
    report.sets.iter().for_each(|(name, figures)| row(name, figures));
    if report.speakers_known.keys().any(|k| k.ends_with("trained on")) {
        heading("by set, and whether the ear was trained on the speaker");
        report.speakers_known.iter().for_each(|(name, figures)| row(name, figures));
    }
    if report.snr.len() > 1 {
        heading("by speech to noise");
        report.snr.iter().for_each(|(name, figures)| row(name, figures));
    }
    let mut speakers: Vec<(&String, &Figures)> = report.speakers.iter().collect();
    speakers.sort_by(|a, b| a.1.right.total_cmp(&b.1.right).then(b.1.clips.cmp(&a.1.clips)));
    if speakers.len() > 1 {
        heading(&format!("speakers heard worst, of {}", speakers.len()));
        speakers.iter().take(WORST).for_each(|(name, figures)| row(name, figures));
    }
    heading("all");
    row("", &report.all);
    anstream::println!("\nreal-time factor on one core {:.3}", report.all.real_time_factor);
}

fn heading(what: &str) {
    anstream::println!(
        "\n{}{what:52} clips  word error   exact   right  constrained  silent{}",
        show::HEAD.render(),
        show::HEAD.render_reset()
    );
}

fn row(name: &str, f: &Figures) {
    let constrained = f.right_constrained.map_or("-".to_owned(), show::percent);
    anstream::println!(
        "{name:52} {:5} {:>11} {:>7} {:>7} {:>12} {:>7}",
        f.clips,
        show::percent(f.word_error),
        show::percent(f.exact),
        show::percent(f.right),
        constrained,
        show::percent(f.silent)
    );
}

fn explain(clip: &ClipReport) {
    let noise = clip.snr_db.map_or_else(String::new, |db| format!(" {db:+} dB"));
    anstream::println!(
        "{}wrong{} {}{noise}\n  said   {}\n  heard  {}",
        show::BAD.render(),
        show::BAD.render_reset(),
        clip.file,
        clip.said,
        if clip.heard.is_empty() { "-" } else { &clip.heard },
    );
    for (text, confidence) in &clip.hypotheses {
        anstream::println!("{}  {confidence:.2}   {text}{}", show::DIM.render(), show::DIM.render_reset());
    }
}

fn run_wordless(config: &Config, args: &SpeechArgs, chosen: &[Clip]) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(args.minutes > 0.0, "--minutes: expected more than 0");
    let everything = Settings { guards: Guards::NONE, ..Settings::default() };
    let (guarded, unguarded) = (open(config, args, settings(args)?)?, open(config, args, everything)?);
    let recordings = chosen.iter().map(Clip::read).collect::<Result<Vec<_>, _>>()?;
    let seconds = args.minutes * 60.0;
    let bar = show::bar(seconds as u64, "seconds of sound");
    let mut report = InventedReport::default();
    for (at, pcm) in Wordless::new(&recordings, args.line.law(), seconds).enumerate() {
        let name = chosen.get(at % (chosen.len() + Wordless::GENERATED));
        let name = name.map_or("silence and noise".to_owned(), |clip| clip.file.display().to_string());
        report.take(&guarded, &pcm, &name)?;
        report.unguarded = report.unguarded.and(wordless::invented_unguarded(&unguarded, &pcm)?);
        bar.set_position(report.guarded.seconds as u64);
    }
    bar.finish_and_clear();
    if args.json {
        anstream::println!("{}", serde_json::to_string(&report)?);
    } else {
        print_invented(&report, args.explain);
    }
    Ok(verdict(args.bar.is_none_or(|most| report.guarded.words_an_hour <= most)))
}

impl InventedReport {
    fn take(&mut self, recognizer: &WhisperRecognizer, pcm: &[i16], name: &str) -> anyhow::Result<()> {
        for expect in [Expect::Open, Expect::Digits { min: 1, max: 16 }, Expect::YesNo] {
            let (heard, inventions) = wordless::invented(recognizer, pcm, &expect)?;
            self.inventions.extend(inventions.into_iter().map(|i| (name.to_owned(), i)));
            let sum = match expect {
                Expect::Digits { .. } => &mut self.after_number,
                Expect::YesNo => &mut self.after_yes_no,
                Expect::Open | Expect::Spelled | Expect::Choice { .. } => {
                    let own = self.by_recording.entry(name.to_owned()).or_default();
                    *own = own.and(heard);
                    &mut self.guarded
                }
            };
            *sum = sum.and(heard);
        }
        Ok(())
    }
}

fn print_invented(report: &InventedReport, explained: bool) {
    if explained {
        report.inventions.iter().for_each(|(name, invention)| explain_invention(name, invention));
        anstream::println!();
    }
    anstream::println!(
        "{}{:40} minutes  turns  with words  words  words an hour{}",
        show::HEAD.render(),
        "sound without words",
        show::HEAD.render_reset()
    );
    let row = |name: &str, i: &Invented| {
        anstream::println!(
            "{name:40} {:7.1} {:6} {:11} {:6} {:14.1}",
            i.seconds / 60.0,
            i.turns,
            i.utterances,
            i.words,
            i.words_an_hour
        );
    };
    row("as on a call, all guards", &report.guarded);
    row("the same after a question for a number", &report.after_number);
    row("the same after a yes-or-no question", &report.after_yes_no);
    row("all of it recognised, no guard", &report.unguarded);
    for (name, invented) in report.by_recording.iter().filter(|(_, i)| i.words > 0) {
        row(&format!("  of the first {}", short(name)), invented);
    }
}

fn short(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

fn explain_invention(name: &str, invention: &Invention) {
    let asked = match invention.expect {
        Expect::Open => "",
        Expect::YesNo => ", asked yes or no",
        Expect::Digits { .. } | Expect::Spelled | Expect::Choice { .. } => ", asked for a number",
    };
    anstream::println!(
        "{}words{} {}{asked}: {:.1} s voiced, no speech {:.2}",
        show::BAD.render(),
        show::BAD.render_reset(),
        short(name),
        invention.voiced_s,
        invention.no_speech
    );
    for (text, confidence) in &invention.hypotheses {
        anstream::println!("{}  {confidence:.2}   {text}{}", show::DIM.render(), show::DIM.render_reset());
    }
}

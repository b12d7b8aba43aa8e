//! Any text is taken for a file of each system's export: it is read or refused with a line that it has; what
//! is read has names that may be files' names, and can be written as an intent's file and as exports, which
//! give the same again.
#![no_main]

use attendant::understanding::TrainingFile;
use attendant::understanding::exchange::{Bundle, Format, Part, csv, entity_toml, intent_toml, rasa_yaml};
use libfuzzer_sys::fuzz_target;

/// Paths by which the formats tell what a part holds.
const PATHS: [&str; 12] = [
    "nlu.yml",
    "intents/hello.json",
    "intents/hello_usersays_en.json",
    "entities/size_entries_en.json",
    "intents/hello/hello.json",
    "intents/hello/trainingPhrases/en.json",
    "entityTypes/size/entities/en.json",
    "Bot/BotLocales/en_US/Intents/Hello/Intent.json",
    "Bot/BotLocales/en_US/Intents/Hello/Slots/Size/Slot.json",
    "Bot/BotLocales/en_US/SlotTypes/Sizes/SlotType.json",
    "a.csv",
    "a.tsv",
];

fuzz_target!(|data: (u8, &str)| {
    let (kind, text) = data;
    let path = PATHS[usize::from(kind) % PATHS.len()];
    let part = Part { path: path.to_owned(), text: text.to_owned() };
    for format in Format::ALL {
        match Bundle::read(format, std::slice::from_ref(&part)) {
            Ok(bundle) => written(&bundle),
            Err(error) => {
                // YAML ends a line with a carriage return alone, too.
                let lines = text.matches(['\n', '\r']).count() + 1;
                assert!((1..=lines).contains(&error.line), "{error}: of {lines} lines");
            }
        }
    }
});

fn written(bundle: &Bundle) {
    assert!(bundle.examples() > 0, "an export without a sentence is refused");
    for (intent, examples) in &bundle.intents {
        let path = format!("intents/{intent}.toml");
        let file = TrainingFile::parse(&path, &intent_toml(intent, examples));
        let file = file.unwrap_or_else(|e| panic!("what was taken over is not read: {e}"));
        assert_eq!(file.examples.len(), examples.len());
    }
    for (name, values) in &bundle.lists {
        let text = entity_toml(name, values);
        attendant::understanding::EntitySpec::parse_all("entities.toml", &text)
            .unwrap_or_else(|e| panic!("a list that was taken over is not read: {e}"));
    }
    let again = |path: &str, format, text: String| {
        let part = Part { path: path.to_owned(), text };
        Bundle::read(format, &[part]).unwrap_or_else(|e| panic!("an export of our own is not read: {e}"))
    };
    let before: Vec<_> = bundle.intents.keys().collect();
    for after in [
        again("nlu.yml", Format::Rasa, rasa_yaml(bundle)),
        again("nlu.csv", Format::Csv, csv(bundle)),
    ] {
        assert_eq!(after.intents.keys().collect::<Vec<_>>(), before, "an intent was lost");
    }
}

//! Tables of sentences and their intents: CSV and its relatives (RFC 4180).

use super::{Bundle, ExchangeError, Part, flat};

/// What a column of sentences may be called.
const TEXT: &[&str] = &["text", "utterance", "sentence", "phrase", "query", "example", "question", "message"];

/// What a column of intents may be called.
const INTENT: &[&str] = &["intent", "label", "category", "class", "intent_name"];

pub(super) fn read(parts: &[Part]) -> Result<Bundle, ExchangeError> {
    let mut bundle = Bundle::default();
    for part in parts {
        read_part(part, &mut bundle)?;
    }
    Ok(bundle)
}

fn read_part(part: &Part, bundle: &mut Bundle) -> Result<(), ExchangeError> {
    let text = part.text.trim_start_matches('\u{feff}');
    let fail = |line: usize, message: String| ExchangeError { path: part.path.clone(), line, message };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter(&part.path, text))
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut columns: Option<(usize, usize)> = None;
    for record in reader.records() {
        let record = record.map_err(|e| {
            let line = e.position().map_or(1, |p| usize::try_from(p.line()).unwrap_or(1));
            fail(line, format!("{e}; expected a table with a column of sentences and one of intents"))
        })?;
        let line = record.position().map_or(1, |p| usize::try_from(p.line()).unwrap_or(1));
        let fields: Vec<&str> = record.iter().map(str::trim).collect();
        if fields.iter().all(|f| f.is_empty()) {
            continue;
        }
        let Some((text_column, intent_column)) = columns else {
            columns = Some(match header(&fields) {
                Some(columns) => columns,
                None => {
                    // Without a header the sentence comes first.
                    take(bundle, &fields, (0, 1)).map_err(|why| fail(line, why))?;
                    (0, 1)
                }
            });
            continue;
        };
        take(bundle, &fields, (text_column, intent_column)).map_err(|why| fail(line, why))?;
    }
    Ok(())
}

fn header(fields: &[&str]) -> Option<(usize, usize)> {
    let at = |names: &[&str]| fields.iter().position(|f| names.contains(&f.to_ascii_lowercase().as_str()));
    Some((at(TEXT)?, at(INTENT)?))
}

fn take(bundle: &mut Bundle, fields: &[&str], (text, intent): (usize, usize)) -> Result<(), String> {
    match (fields.get(text), fields.get(intent)) {
        (Some(sentence), Some(intent)) if !sentence.is_empty() && !intent.is_empty() => {
            // Marks in our own form are kept, so that what was exported comes back.
            let sentence = flat(sentence);
            let sentence = match super::super::training_file::annotated(&sentence) {
                Ok(_) => sentence,
                Err(_) => flat(&super::spoken(&sentence)),
            };
            bundle.add(intent, sentence);
            Ok(())
        }
        _ => Err(format!(
            "expected a sentence and an intent, found {} column(s): name them in a header (text, intent) or \
             put the sentence first",
            fields.len()
        )),
    }
}

/// By the file's ending, else whichever of the three stands most often in the first line.
fn delimiter(path: &str, text: &str) -> u8 {
    if path.to_ascii_lowercase().ends_with(".tsv") {
        return b'\t';
    }
    let first = text.lines().next().unwrap_or_default();
    let count = |d: u8| first.bytes().filter(|&b| b == d).count();
    [b',', b';', b'\t'].into_iter().rev().max_by_key(|&d| count(d)).unwrap_or(b',')
}

//! Rasa NLU YAML: <https://legacy-docs-oss.rasa.com/docs/rasa/training-data-format>.

use serde::Deserialize;

use super::{Bundle, ExchangeError, Part, flat, list, marked, spoken};

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    nlu: Option<Vec<Item>>,
}

#[derive(Deserialize)]
struct Item {
    intent: Option<String>,
    synonym: Option<String>,
    lookup: Option<String>,
    regex: Option<String>,
    examples: Option<Examples>,
}

/// One text with a line an example, or a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Examples {
    Lines(String),
    List(Vec<Entry>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Text(String),
    Table { text: String },
}

impl Examples {
    fn lines(&self) -> Vec<String> {
        let item = |line: &str| {
            let line = line.trim();
            line.strip_prefix('-').or_else(|| line.strip_prefix('*')).unwrap_or(line).trim().to_owned()
        };
        match self {
            Examples::Lines(text) => text.lines().map(item).filter(|l| !l.is_empty()).collect(),
            Examples::List(entries) => entries
                .iter()
                .map(|entry| match entry {
                    Entry::Text(text) | Entry::Table { text } => item(text),
                })
                .collect(),
        }
    }
}

pub(super) fn read(parts: &[Part]) -> Result<Bundle, ExchangeError> {
    let mut bundle = Bundle::default();
    let mut synonyms = Vec::new();
    for part in parts {
        let document: Document = serde_saphyr::from_str(&part.text).map_err(|e| ExchangeError {
            path: part.path.clone(),
            line: e.location().map_or(1, |l| usize::try_from(l.line()).unwrap_or(1)),
            message: format!("{}; expected Rasa's nlu: - intent: …", first_line(&e.to_string())),
        })?;
        for item in document.nlu.unwrap_or_default() {
            take(&mut bundle, &part.path, item, &mut synonyms);
        }
    }
    // Once all lists are known.
    for (value, said) in synonyms {
        synonym(&mut bundle, &value, said);
    }
    Ok(bundle)
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn take(bundle: &mut Bundle, path: &str, item: Item, synonyms: &mut Vec<(String, Vec<String>)>) {
    let lines = item.examples.as_ref().map(Examples::lines).unwrap_or_default();
    if let Some(intent) = item.intent {
        let examples: Vec<String> = lines.iter().map(|l| annotated(bundle, l)).collect();
        examples.into_iter().for_each(|example| bundle.add(&intent, example));
    } else if let Some(lookup) = item.lookup {
        match super::entity_name(&lookup) {
            Some(name) => {
                let values = list(lines.into_iter().map(|value| (value, Vec::new())));
                bundle.lists.entry(name).or_default().extend(values);
            }
            None => bundle.notes.push(format!("{path}: lookup '{lookup}' has no name to use")),
        }
    } else if let Some(value) = item.synonym {
        synonyms.push((value, lines));
    } else if let Some(regex) = item.regex {
        bundle.notes.push(format!(
            "{path}: the regular expression '{regex}' is not taken over: declare an entity in entities.toml"
        ));
    }
}

/// Rasa's synonyms belong to a value, whatever the entity: they go to each list that holds the value, or,
/// where none does, stay with the examples that show them.
fn synonym(bundle: &mut Bundle, value: &str, synonyms: Vec<String>) {
    let value = flat(value);
    let said = list([(value.clone(), synonyms.clone())]).remove(&value).unwrap_or_default();
    let mut found = false;
    for values in bundle.lists.values_mut() {
        if let Some(known) = values.get_mut(&value) {
            found = true;
            known.extend(said.iter().cloned());
        }
    }
    if !found {
        bundle.notes.push(format!(
            "synonyms of '{value}' ({}) belong to no lookup table here: add them to a list in entities.toml",
            synonyms.join(", ")
        ));
    }
}

/// `[text](entity)`, `[text](entity:value)` or `[text]{"entity": "…"}`; anything else in brackets is text.
fn annotated(bundle: &mut Bundle, line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(open) = rest.find('[') {
        out.push_str(&spoken(&rest[..open]));
        let after = &rest[open + 1..];
        match annotation(after) {
            Some((text, entity, left)) => {
                out.push_str(&marked(text, &entity));
                rest = left;
            }
            None => {
                bundle.notes.push(format!("'{line}' holds a mark that is none: taken as text"));
                rest = after;
            }
        }
    }
    out.push_str(&spoken(rest));
    flat(&out)
}

/// The marked text, the entity, and what follows.
fn annotation(after: &str) -> Option<(&str, String, &str)> {
    let (text, left) = after.split_once(']')?;
    if let Some(inner) = left.strip_prefix('(') {
        let (entity, left) = inner.split_once(')')?;
        let entity = entity.split(':').next().unwrap_or(entity);
        return Some((text, entity.to_owned(), left));
    }
    let end = left.starts_with('{').then(|| left.find('}')).flatten()? + 1;
    let table: serde_json::Value = serde_json::from_str(&left[..end]).ok()?;
    let entity = table.get("entity")?.as_str()?;
    // Two roles of one entity are two values to ask for.
    let name = match table.get("role").and_then(serde_json::Value::as_str) {
        Some(role) => format!("{entity}_{role}"),
        None => entity.to_owned(),
    };
    Some((text, name, &left[end..]))
}

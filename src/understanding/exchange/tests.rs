use proptest::prelude::*;

use super::write::reads_back;
use super::*;

fn part(path: &str, text: &str) -> Part {
    Part { path: path.to_owned(), text: text.to_owned() }
}

fn read(parts: &[Part]) -> Bundle {
    let format = Format::detect(parts).expect("a known format");
    Bundle::read(format, parts).expect("it can be read")
}

fn examples<'a>(bundle: &'a Bundle, intent: &str) -> Vec<&'a str> {
    bundle.intents[&intent.parse::<IntentName>().expect("a name")].iter().map(String::as_str).collect()
}

#[test]
fn rasa_gives_intents_marks_lookups_and_synonyms() {
    let text = r#"version: "3.1"
nlu:
- intent: faq/Ask Weather
  examples: |
    - how is the weather in [New York]{"entity": "city", "value": "NYC"}
    - weather [today](date:now)
    - How is the weather in new york?
- intent: fly
  examples:
  - text: |
      from [a]{"entity": "place", "role": "from"} to [b]{"entity": "place", "role": "to"}
  - fly [me
- synonym: NYC
  examples: |
    - big apple
- lookup: city
  examples: |
    - Berlin
    - NYC
- synonym: nowhere
  examples: |
    - nirvana
- regex: zip
  examples: |
    - \d{5}
"#;
    let bundle = read(&[part("data/nlu.yml", text)]);
    assert_eq!(
        examples(&bundle, "faq_ask_weather"),
        ["how is the weather in [New York](city)", "weather [today](date)"],
        "the third is the first again"
    );
    assert_eq!(examples(&bundle, "fly"), ["from [a](place_from) to [b](place_to)", "fly me"]);
    assert_eq!(bundle.lists["city"]["NYC"], ["big apple"]);
    for told in ["faq/Ask Weather", "a mark that is none", "nirvana", "'zip'", "stand once"] {
        assert!(bundle.notes.iter().any(|n| n.contains(told)), "{told}: {:?}", bundle.notes);
    }
}

#[test]
fn dialogflow_es_gives_english_phrases_entities_and_fallbacks() {
    let bundle = read(&[
        part("agent/intents/Order Status.json", r#"{"name": "Order Status", "fallbackIntent": false}"#),
        part(
            "agent/intents/Order Status_usersays_en.json",
            r#"[{"data": [{"text": "where is order "}, {"text": " 45128 ", "alias": "number", "meta": "@sys.number"}, {"text": "please"}]},
                {"data": [{"text": "um ", "meta": "@sys.ignore", "alias": "x"}, {"text": "track it"}]}]"#,
        ),
        part("agent/intents/Order Status_usersays_de.json", r#"[{"data": [{"text": "wo"}]}]"#),
        part("agent/intents/Fallback.json", r#"{"name": "Fallback", "fallbackIntent": true}"#),
        part("agent/intents/Fallback_usersays_en.json", r#"[{"data": [{"text": "sing a song"}]}]"#),
        part(
            "agent/entities/Size_entries_en.json",
            r#"[{"value": "small", "synonyms": ["small", "little"]}]"#,
        ),
    ]);
    assert_eq!(examples(&bundle, "order_status"), ["where is order [45128](number) please", "um track it"]);
    assert_eq!(examples(&bundle, "out_of_scope"), ["sing a song"]);
    assert_eq!(bundle.lists["size"]["small"], ["little"]);
    assert!(bundle.notes.iter().any(|n| n.contains("other languages")), "{:?}", bundle.notes);
}

#[test]
fn dialogflow_cx_gives_phrases_and_entities() {
    let bundle = read(&[
        part("intents/pay/pay.json", r#"{"displayName": "pay"}"#),
        part(
            "intents/pay/trainingPhrases/en.json",
            r#"{"trainingPhrases": [{"parts": [{"text": "pay by "}, {"text": "card", "parameterId": "method"}], "repeatCount": 1}]}"#,
        ),
        part("intents/no/no.json", r#"{"displayName": "Default Negative Intent", "isFallback": true}"#),
        part("intents/no/trainingPhrases/en.json", r#"{"trainingPhrases": [{"parts": [{"text": "bark"}]}]}"#),
        part(
            "entityTypes/method/entities/en.json",
            r#"{"entities": [{"value": "card", "synonyms": ["plastic"]}]}"#,
        ),
    ]);
    assert_eq!(examples(&bundle, "pay"), ["pay by [card](method)"]);
    assert_eq!(examples(&bundle, "out_of_scope"), ["bark"]);
    assert_eq!(bundle.lists["method"]["card"], ["plastic"]);
}

#[test]
fn lex_utterances_get_values_for_their_slots() {
    let locale = "Hotel/BotLocales/en_US";
    let bundle = read(&[
        part(
            &format!("{locale}/Intents/BookHotel/Intent.json"),
            r#"{"name": "BookHotel", "sampleUtterances": [{"utterance": "a {RoomType} room for {Nights} nights"},
                {"utterance": "a {RoomType} room"}, {"utterance": "for {Mystery}"}]}"#,
        ),
        part(
            &format!("{locale}/Intents/BookHotel/Slots/RoomType/Slot.json"),
            r#"{"name": "RoomType", "slotTypeName": "RoomTypes"}"#,
        ),
        part(
            &format!("{locale}/Intents/BookHotel/Slots/Nights/Slot.json"),
            r#"{"name": "Nights", "slotTypeName": "AMAZON.Number"}"#,
        ),
        part(
            &format!("{locale}/SlotTypes/RoomTypes/SlotType.json"),
            r#"{"name": "RoomTypes", "slotTypeValues": [{"sampleValue": {"value": "king"}, "synonyms": [{"value": "large"}]},
                {"sampleValue": {"value": "queen"}, "synonyms": null}]}"#,
        ),
        part(
            &format!("{locale}/Intents/FallbackIntent/Intent.json"),
            r#"{"name": "FallbackIntent", "parentIntentSignature": "AMAZON.FallbackIntent", "sampleUtterances": null}"#,
        ),
        part(
            "Hotel/BotLocales/de_DE/Intents/BookHotel/Intent.json",
            r#"{"name": "BookHotel", "sampleUtterances": [{"utterance": "ein Zimmer"}]}"#,
        ),
    ]);
    assert_eq!(
        examples(&bundle, "book_hotel"),
        ["a [king](room_types) room for [five](number) nights", "a [queen](room_types) room", "for"]
    );
    assert_eq!(bundle.lists["room_types"]["king"], ["large"]);
    assert!(bundle.notes.iter().any(|n| n.contains("{Mystery}")), "{:?}", bundle.notes);
}

#[test]
fn tables_are_read_with_and_without_a_header() {
    let with =
        read(&[part("a.csv", "id;Intent;Text\n1;Order Status;\"where; is it\"\n\n2;agent;a person\n")]);
    assert_eq!(examples(&with, "order_status"), ["where; is it"]);
    let without = read(&[part("a.tsv", "where is [45](number)\torder_status\nnot [a mark\torder_status\n")]);
    assert_eq!(examples(&without, "order_status"), ["where is [45](number)", "not a mark"]);
}

#[test]
fn mistakes_name_the_part_and_the_line() {
    let check = |parts: &[Part], line: usize, told: &str| {
        let format = Format::detect(parts).expect("a known format");
        let error = Bundle::read(format, parts).expect_err("a mistake");
        assert_eq!((error.path.as_str(), error.line), (parts[0].path.as_str(), line), "{error}");
        assert!(error.to_string().contains(told), "{error}");
    };
    check(&[part("nlu.yml", "nlu:\n- intent: a\n  examples: [\n")], 3, "expected Rasa's nlu");
    check(&[part("nlu.yml", "stories: []\n")], 1, "no examples found");
    check(&[part("intents/a_usersays_en.json", "[\n {]")], 2, "key");
    check(&[part("intents/a/trainingPhrases/en.json", "{\n \"trainingPhrases\": 3}")], 2, "sequence");
    check(&[part("b/Intent.json", "")], 1, "EOF");
    check(&[part("a.csv", "text,intent\nonly one\n")], 2, "found 1 column");
    check(&[part("a.csv", "")], 1, "no examples found");
    assert_eq!(Format::detect(&[part("readme.md", "x")]), None);
}

#[test]
fn names_are_made_to_fit_and_paths_lose_their_teeth() {
    for (raw, name) in [
        ("BookHotel", "book_hotel"),
        ("../../etc/passwd", "etc_passwd"),
        ("Größe ändern", "gr_e_ndern"),
        ("", "unnamed"),
        ("C:\\x", "c_x"),
        ("Line", "line_intent"),
        ("../entities", "entities_intent"),
    ] {
        assert_eq!(intent_name(raw).as_str(), name);
    }
    assert!(intent_name(&"x".repeat(500)).as_str().len() <= LONGEST_NAME);
}

#[test]
fn a_table_of_a_hundred_thousand_lines_is_read() {
    let rows: String = (0..100_000).map(|i| format!("where is number {i},intent {}\n", i % 150)).collect();
    let bundle = read(&[part("a.csv", &rows)]);
    assert_eq!((bundle.intents.len(), bundle.examples()), (150, 100_000));
}

#[test]
fn a_sentence_in_two_intents_is_kept_and_told() {
    let bundle = read(&[part("a.csv", "hello,a\nHello!,b\n")]);
    assert_eq!(bundle.examples(), 2);
    assert!(bundle.notes.iter().any(|n| n.contains("stands in 'a' and in 'b'")), "{:?}", bundle.notes);
    // Found by fuzzing: twice in the second intent is once too often, too.
    assert_eq!(read(&[part("a.csv", "hello,a\nhello,b\nHello,b\n")]).examples(), 2);
}

#[test]
fn a_list_without_values_is_left_out() {
    let text = "nlu:\n- lookup: city\n  examples: \"\"\n- intent: a\n  examples: |\n    - hello\n";
    let bundle = read(&[part("nlu.yml", text)]);
    assert!(bundle.lists.is_empty() && bundle.notes.iter().any(|n| n.contains("'city'")), "{bundle:?}");
}

#[test]
fn what_nobody_says_is_left_out() {
    let bundle = read(&[part("a.csv", "where\u{8} is\u{feff}it,a\n")]);
    assert_eq!(examples(&bundle, "a"), ["where is it"]);
    assert_eq!(read(&[part("nlu.yml", &rasa_yaml(&bundle))]).intents, bundle.intents);
}

fn sentences() -> impl Strategy<Value = Vec<String>> {
    let sentence = prop_oneof![
        "[a-z]{1,8}( [a-z':#,\"\\\\]{1,8}){0,4}",
        ("[a-z]{1,6}", "[a-z0-9]{1,6}", "[a-z]{1,5}")
            .prop_map(|(before, value, entity)| format!("{before} [{value}]({entity})")),
    ];
    prop::collection::btree_set(sentence, 1..8).prop_map(|set| {
        let mut seen = BTreeSet::new();
        set.into_iter().map(|s| flat(&s)).filter(|s| seen.insert(normalize(&unmarked(s)))).collect()
    })
}

proptest! {
    #[test]
    fn what_goes_out_comes_back(said in sentences()) {
        prop_assume!(said.iter().all(|s| !normalize(&unmarked(s)).is_empty()));
        let mut bundle = Bundle::default();
        bundle.intents.insert("some_intent".parse().expect("a name"), said.clone());
        let from_rasa = read(&[part("nlu.yml", &rasa_yaml(&bundle))]);
        prop_assert_eq!(&from_rasa.intents, &bundle.intents);
        let from_csv = read(&[part("nlu.csv", &csv(&bundle))]);
        prop_assert_eq!(&from_csv.intents, &bundle.intents);
        prop_assert!(reads_back(&intent_toml(&"some_intent".parse().expect("a name"), &said), &said));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,120}", kind in 0usize..6) {
        let path = ["a.yml", "intents/a_usersays_en.json", "intents/a/trainingPhrases/en.json",
            "BotLocales/en_US/Intents/a/Intent.json", "a.csv", "a.tsv"][kind];
        let parts = [part(path, &text)];
        let format = Format::detect(&parts).expect("by its path");
        if let Err(error) = Bundle::read(format, &parts) {
            prop_assert!(error.line >= 1);
        }
    }
}

//! What a team may get wrong in its files: each mistake names its file, its line, and what was expected.

use attendant::dialogue::Flow;

use super::calls::sources;

const SHOP: &str = "intents";
const CLINIC: &str = "examples/clinic/intents";
const INTERNET: &str = "examples/internet/intents";

/// Changes one place of a line's files, and looks for `wanted` in the error that this ends with.
#[track_caller]
fn check(intents: &str, file: &str, from: &str, to: &str, wanted: &str) {
    let mut all = sources(intents);
    let source = all.iter_mut().find(|s| s.path.ends_with(file)).unwrap_or_else(|| panic!("{file}"));
    assert!(source.text.contains(from), "{from} is not in {file}");
    source.text = source.text.replacen(from, to, 1);
    let error = match Flow::parse(&all) {
        Ok(_) => panic!("{file}: '{to}' was taken"),
        Err(error) => error.to_string(),
    };
    assert!(error.contains(wanted), "{error}\n  has no '{wanted}'");
    let line = error.split(':').nth(1).and_then(|n| n.parse::<usize>().ok());
    assert!(error.starts_with(&format!("{intents}/{file}:")) && line.is_some_and(|n| n > 1), "{error}");
}

#[test]
fn a_maze_cannot_be_written() {
    let ask = "ask = [\"surname\", \"postcode\"]";
    check(SHOP, "order_status.toml", ask, "ask = [\"surname\", \"order_number\"]", "in circles");
    check(SHOP, "order_status.toml", ask, "ask = [\"surname\"]", "without asking for it");
    let way = "[[slot.dont_know]]\nlook_up = \"orders_by_ani\"\nfield = \"name\"\nfound = \"x\"\noffer = \"y\"\n\n[fulfil]\nlook_up";
    check(SHOP, "order_status.toml", "[fulfil]\nlook_up", way, "ways of its own");
    check(CLINIC, "book_appointment.toml", "again = \"day\"", "again = \"time\"", "asked for before");
    check(SHOP, "line.toml", "[menu]", "[tries]\nslot = 9\n[menu]", "in circles");
}

#[test]
fn what_nobody_can_reach_is_named() {
    check(SHOP, "order_status.toml", ", \"postcode\"]\nlook_up", "]\nlook_up", "without asking for it");
    check(SHOP, "return_refund.toml", "ask = [\"order_date\"]\n", "", "without asking for it");
    check(INTERNET, "no_internet.toml", "{ lights = \"off\" }", "{ lights = \"blue\" }", "never 'blue'");
    check(INTERNET, "no_internet.toml", "{ lights = \"off\" }", "{ lamps = \"off\" }", "does not have");
    check(SHOP, "line.toml", "[menu]", "[thresholds]\nconfirm = 0.9\n[menu]", "nothing lies between");
    check(SHOP, "line.toml", "[menu]", "[thresholds]\nchoose = 0.6\n[menu]", "cannot both reach");
    check(SHOP, "line.toml", "[menu]", "[thresholds]\naccept = 1.5\n[menu]", "from 0 to below 1");
}

#[test]
fn references_that_lead_nowhere_are_named() {
    check(
        SHOP,
        "order_status.toml",
        "look_up = \"order_by_number\"",
        "look_up = \"order_by_nmber\"",
        "expected one of",
    );
    check(SHOP, "order_status.toml", "field = \"number\"", "field = \"nmber\"", "have no field 'nmber'");
    check(SHOP, "order_status.toml", "args = { number =", "args = { nmber =", "gets no 'number'");
    check(SHOP, "order_status.toml", "{{ item }}", "{{ itm }}", "uses 'itm'");
    check(SHOP, "order_status.toml", "| last_two", "| last_too", "no filter 'last_too'");
    check(
        CLINIC,
        "test_results.toml",
        "\"date_of_birth\", \"pin\"",
        "\"fingerprint\"",
        "expected one of date_of_birth",
    );
    check(CLINIC, "test_results.toml", "need = 1", "need = 3", "expected 1 to 2");
    check(
        INTERNET,
        "bill.toml",
        "account = \"account\" }",
        "account = \"acount\" }",
        "expected a slot, ani or account",
    );
    check(SHOP, "line.toml", "intent = \"billing\"", "intent = \"biling\"", "no file");
}

#[test]
fn what_a_caller_would_suffer_from_is_refused() {
    check(SHOP, "line.toml", "[menu]", "[timeouts]\nno_input_ms = 9000\n[menu]", "above 7000");
    check(SHOP, "line.toml", "[menu]", "[keys]\nhelp = \"*\"\n[menu]", "a key of its own");
    check(SHOP, "line.toml", "[menu]", "[keys]\nhelp = \"55\"\n[menu]", "expected '*', '#'");
    check(
        CLINIC,
        "line.toml",
        "http://localhost:8070/free-times",
        "localhost/free-times",
        "expected https://",
    );
    check(CLINIC, "line.toml", "look_up = \"verify_pin\"", "look_up = \"verify_pins\"", "expected one of");
    check(CLINIC, "line.toml", "from = \"18:00\"", "from = \"6pm\"", "expected HH:MM");
    check(CLINIC, "line.toml", "[\"sat\", \"sun\"]", "[\"saturday\"]", "is no day");
    check(INTERNET, "line.toml", "any = [\"One moment, please.\"", "anny = [\"One moment, please.\"", "anny");
    check(
        INTERNET,
        "no_internet.toml",
        "not_found = \"I am sorry, I could not open a ticket.\"",
        "",
        "no not_found",
    );
}

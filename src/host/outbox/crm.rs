//! A call as an activity in EspoCRM, by its REST API: `api/v1/`, the key of an API user in `X-Api-Key`, times in UTC
//! (its documentation, development/api and development/api/crud; the fields are those of its entity `Call`).
//!
//! The activity's name holds the call's id, and is looked for before anything is created: a call that is told twice, or
//! written up later, stays one activity. The caller's contact is linked where exactly one has the number.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{Letter, TellError};
use crate::desk::NotifySpec;

/// Longest answer that is read, in bytes.
const LONGEST_ANSWER: u64 = 1 << 20;

/// The activity, as the API takes it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Activity {
    name: String,
    /// A call that took place.
    status: &'static str,
    direction: &'static str,
    date_start: String,
    date_end: String,
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    assigned_user_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contacts_ids: Vec<String>,
}

#[derive(Deserialize)]
struct Listed {
    list: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    id: String,
}

struct Espo<'a> {
    agent: ureq::Agent,
    url: &'a str,
    key: String,
}

/// Creates the call's activity, or writes what has changed into it.
pub(super) fn tell(url: &str, target: &NotifySpec, letter: &Letter) -> Result<(), TellError> {
    let name = target.key_env.as_deref().unwrap_or_default();
    let key = std::env::var(name).map_err(|_| {
        TellError::Declared(format!("the environment variable {name}, which holds EspoCRM's key, is not set"))
    })?;
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_millis(target.timeout_ms)))
        .http_status_as_error(false)
        .max_redirects(0)
        .build();
    let espo = Espo { agent: ureq::Agent::new_with_config(config), url: url.trim_end_matches('/'), key };
    let mut activity = activity(target, letter);
    if let Some(number) = letter.record.as_ref().and_then(|record| record.ani.as_ref()) {
        let mut contacts = espo.find("Contact", "phoneNumber", number.expose())?;
        // Of two with one number nobody knows who called.
        if contacts.len() == 1 {
            activity.contacts_ids.append(&mut contacts);
        }
    }
    let body = serde_json::to_string(&activity).expect("text keys and no failing serializer");
    match espo.find("Call", "name", &activity.name)?.into_iter().next() {
        Some(id) => espo.send(espo.agent.put(espo.path(&format!("Call/{id}"))), &body),
        None => espo.send(espo.agent.post(espo.path("Call")).header("X-Skip-Duplicate-Check", "true"), &body),
    }
    .map(|_| ())
}

fn activity(target: &NotifySpec, letter: &Letter) -> Activity {
    let took = letter.record.as_ref().map_or(0, |record| record.duration.as_millis());
    let ends = letter.at.checked_add(Duration::from_millis(took)).unwrap_or(letter.at);
    let utc = |at: jiff::Timestamp| at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let intent = letter.record.as_ref().and_then(|record| record.intent.as_ref());
    Activity {
        name: format!("{} ({})", intent.map_or("call", |intent| intent.as_str()), letter.call),
        status: "Held",
        direction: "Inbound",
        date_start: utc(letter.at),
        date_end: utc(ends),
        description: letter.note.clone(),
        assigned_user_id: target.assigned_user.clone(),
        contacts_ids: Vec::new(),
    }
}

impl Espo<'_> {
    fn path(&self, rest: &str) -> String {
        format!("{}/api/v1/{rest}", self.url)
    }

    /// The ids of the records of a kind of which an attribute has a value; two at most.
    fn find(&self, kind: &str, attribute: &str, value: &str) -> Result<Vec<String>, TellError> {
        let request = self
            .agent
            .get(self.path(kind))
            .query("select", "id")
            .query("maxSize", "2")
            .query("where[0][type]", "equals")
            .query("where[0][attribute]", attribute)
            .query("where[0][value]", value)
            .header("X-Api-Key", &self.key);
        let answer = answered(request.call())?;
        let listed: Listed = serde_json::from_str(&answer).map_err(|_| {
            TellError::Refused(format!(
                "EspoCRM's list of {kind} is not understood: expected {{\"list\": [{{\"id\": …}}]}}"
            ))
        })?;
        Ok(listed.list.into_iter().map(|found| found.id).collect())
    }

    fn send(
        &self,
        request: ureq::RequestBuilder<ureq::typestate::WithBody>,
        body: &str,
    ) -> Result<String, TellError> {
        let request = request.header("X-Api-Key", &self.key).header("Content-Type", "application/json");
        answered(request.send(body))
    }
}

fn answered(result: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<String, TellError> {
    let unreachable = |e: ureq::Error| TellError::MayPass(format!("EspoCRM does not answer: {e}"));
    let mut response = result.map_err(unreachable)?;
    match response.status().as_u16() {
        200..300 => {}
        status @ (500.. | 408 | 429) => {
            return Err(TellError::MayPass(format!("EspoCRM answered with status {status}")));
        }
        status => {
            let hint = match status {
                401 => ": its key is not right",
                403 => ": the role of its API user may not read contacts, or create and edit calls",
                404 => ": the address is not EspoCRM's",
                _ => "",
            };
            return Err(TellError::Refused(format!("EspoCRM answered with status {status}{hint}")));
        }
    }
    response.body_mut().with_config().limit(LONGEST_ANSWER).read_to_string().map_err(unreachable)
}

//! What is said of a call or a message, from what the store knows of it at that moment.

use std::collections::BTreeMap;

use jiff::Timestamp;
use minijinja::Value;
use serde::Serialize;

use crate::call::{CallId, CallRecord, Pii};
use crate::desk::{DeskPlan, News, NotifySpec, WrittenUp, fill, values};
use crate::store::{KeptVoicemail, Outgoing, Store, StoreError};

/// Everything that may be told.
pub struct Letter {
    /// Names it among all.
    pub key: String,
    /// What.
    pub news: News,
    /// Of which call.
    pub call: CallId,
    /// The call, where its record is written.
    pub record: Option<CallRecord>,
    /// When it began, or when the message was left.
    pub at: Timestamp,
    /// The same in the line's zone, for people.
    pub local: String,
    /// The message.
    pub voicemail: Option<KeptVoicemail>,
    /// How an agent wrote the call up.
    pub written: Option<WrittenUp>,
    /// The note, filled in; empty where there is no record.
    pub note: String,
}

/// What a webhook gets.
#[derive(Serialize)]
struct Body<'a> {
    event: News,
    call: &'a CallId,
    at: String,
    number: Option<&'a str>,
    reference: Option<&'a str>,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    voicemail: Option<VoicemailBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<RecordBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wrap_up: Option<&'a WrittenUp>,
}

#[derive(Serialize)]
struct VoicemailBody<'a> {
    queue: &'a str,
    seconds: f64,
    file: &'a str,
    transcript: Option<&'a str>,
}

/// The record without its turns: what the caller said word for word stays in the house.
#[derive(Serialize)]
struct RecordBody<'a> {
    dialled: Option<&'a str>,
    seconds: f64,
    intent: Option<&'a str>,
    disposition: String,
    cause: String,
    stage: String,
    rating: Option<u8>,
    slots: &'a BTreeMap<String, Pii<String>>,
    handoff: Option<&'a crate::call::Handoff>,
    callback: Option<&'a crate::call::Callback>,
    note: &'a str,
}

impl Letter {
    /// What there is to say; `None` where what it tells of is gone.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub async fn of(news: &Outgoing, store: &Store, plan: &DeskPlan) -> Result<Option<Letter>, StoreError> {
        let kept = store.record(&news.call).await?;
        let voicemail = match news.news {
            News::Voicemail => store.voicemail(&news.call).await?,
            News::Call | News::Rating | News::WrapUp => None,
        };
        let written = store.written_up(&news.call).await?;
        let at = match (&news.news, &kept, &voicemail) {
            (News::Voicemail, _, Some(message)) => message.at,
            (News::Call | News::Rating | News::WrapUp, Some(kept), _) => {
                let ms = i64::try_from(kept.started_at_unix_ms).unwrap_or(i64::MAX);
                Timestamp::from_millisecond(ms).unwrap_or(news.created)
            }
            (News::Voicemail | News::Call | News::Rating | News::WrapUp, _, _) => return Ok(None),
        };
        let record = kept.map(|kept| kept.record);
        let note = record.as_ref().map(|record| plan.wrap_up.note(record, written.as_ref()));
        let note = match note {
            Some(Err(why)) => {
                tracing::warn!(call = %news.call, why, "the note of [wrap_up] cannot be filled in");
                String::new()
            }
            Some(Ok(note)) => note,
            None => String::new(),
        };
        let local = at.to_zoned(plan.zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string();
        let (key, news, call) = (news.key.clone(), news.news, news.call.clone());
        Ok(Some(Letter { key, news, call, record, at, local, voicemail, written, note }))
    }

    fn number(&self) -> Option<&str> {
        let of_message = self.voicemail.as_ref().and_then(|message| message.ani.as_ref());
        let ani = of_message.or_else(|| self.record.as_ref().and_then(|record| record.ani.as_ref()));
        ani.map(|ani| ani.expose())
    }

    fn values(&self) -> Value {
        let mut all =
            self.record.as_ref().map(|record| values(record, self.written.as_ref())).unwrap_or_default();
        all.entry("facts").or_insert_with(|| Value::from(BTreeMap::<String, String>::new()));
        all.insert("event", Value::from(self.news.to_string()));
        all.insert("call", Value::from(self.call.as_str()));
        all.insert("number", Value::from(self.number()));
        all.insert("at", Value::from(self.local.as_str()));
        all.insert("note", Value::from(self.note.as_str()));
        if let Some(message) = &self.voicemail {
            all.insert("queue", Value::from(message.queue.as_str()));
            all.insert("seconds", Value::from(message.duration.as_secs()));
            let transcript = message.transcript.as_ref().map(|text| text.expose().clone());
            all.insert("transcript", Value::from(transcript));
        }
        Value::from(all)
    }

    /// The subject in one line, and the text.
    ///
    /// # Errors
    /// What a template cannot do.
    pub fn words(&self, target: &NotifySpec) -> Result<(String, String), String> {
        let values = self.values();
        let subject = fill(&target.subject, &values)?;
        let subject = subject.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok((subject, fill(&target.text, &values)?.trim().to_owned() + "\n"))
    }

    /// The body of a webhook.
    ///
    /// # Errors
    /// What the template of the text cannot do.
    pub fn json(&self, target: &NotifySpec) -> Result<String, String> {
        let (_, text) = self.words(target)?;
        let body = Body {
            event: self.news,
            call: &self.call,
            at: self.at.to_string(),
            number: self.number(),
            reference: self.record.as_ref().and_then(|record| record.reference.as_deref()),
            text,
            voicemail: self.voicemail.as_ref().map(|message| VoicemailBody {
                queue: &message.queue,
                seconds: message.duration.as_secs_f64(),
                file: &message.file,
                transcript: message.transcript.as_ref().map(|text| text.expose().as_str()),
            }),
            record: self.record.as_ref().map(|record| RecordBody {
                dialled: record.dnis.as_ref().map(|dnis| dnis.as_str()),
                seconds: record.duration.as_millis() as f64 / 1_000.0,
                intent: record.intent.as_ref().map(|intent| intent.as_str()),
                disposition: record.disposition.to_string(),
                cause: record.cause.to_string(),
                stage: record.stage.to_string(),
                rating: record.rating,
                slots: &record.slots,
                handoff: record.handoff.as_ref(),
                callback: record.callback.as_ref(),
                note: &self.note,
            }),
            wrap_up: self.written.as_ref(),
        };
        Ok(serde_json::to_string(&body).expect("text keys and no failing serializer"))
    }
}

//! What agents' screens ask and say over HTTP: who is there, signing in and out, and what is known of a call.
//!
//! Every request proves by a token that it may. Decides nothing: what is said here goes the way of the command line, into
//! the store, where the line finds it within a second. Read [`Api`] first.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;

use crate::call::{CallId, Pii};
use crate::config::{Config, ConfigError};
use crate::desk::{AwayReason, DeskPlan, Presence, WrittenUp};
use crate::host::metrics::serve_at;
use crate::host::phone::briefing_of;
use crate::store::{KeptAgent, KeptCall, Store, StoreError};

/// A token that is shorter can be guessed.
const SHORTEST_TOKEN: usize = 16;

/// Who has said so, in the trail.
const WHO: &str = "api";

/// What answers.
pub struct Api {
    /// Where everything is kept.
    pub store: Arc<Store>,
    /// Where the store's work runs.
    pub runtime: Handle,
    /// What is declared.
    pub plan: Arc<DeskPlan>,
    /// What `Authorization: Bearer` has to be followed by.
    pub token: Pii<String>,
}

/// Where it is listened for screens, and by which token they prove that they may ask; `None` where that is switched off.
///
/// # Errors
/// A setting that is no address, or a token that can be guessed.
pub fn settings(config: &Config) -> Result<Option<(SocketAddr, Pii<String>)>, ConfigError> {
    let Some(address) = crate::host::streams::address(config, "api_listen")? else { return Ok(None) };
    let token = config.get("api_token");
    if token.len() < SHORTEST_TOKEN {
        return Err(config
            .unfit("api_token", "16 characters or more, best as ATTENDANT_API_TOKEN in the environment"));
    }
    Ok(Some((address, token.into())))
}

impl Api {
    /// Listens for screens; gives the address, and serves until the future is dropped.
    ///
    /// # Errors
    /// Where the address cannot be listened on.
    pub async fn listen(
        self,
        address: SocketAddr,
    ) -> std::io::Result<(SocketAddr, impl Future<Output = ()> + Send + use<>)> {
        let api = Arc::new(self);
        let routes = Router::new()
            .route("/agents", get(agents))
            .route("/agents/{name}", put(sign))
            .route("/calls/{call}/package", get(package))
            .layer(from_fn_with_state(Arc::clone(&api), allowed))
            .with_state(api);
        serve_at(address, routes, "agents' screens").await
    }

    /// Has the store do something where its connections live.
    async fn asks<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, Response> {
        let unanswered = match self.runtime.spawn(work).await {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        tracing::warn!(error = unanswered, "a screen got no answer");
        Err(refused(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer: ask again"))
    }

    async fn kept(&self) -> Result<Vec<KeptAgent>, Response> {
        let store = Arc::clone(&self.store);
        self.asks(async move { store.agents().await }).await
    }
}

fn refused(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "error": why }))).into_response()
}

/// Compares hashes, whose time says nothing of the token.
async fn allowed(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if Sha256::digest(given) == Sha256::digest(api.token.expose()) {
        return next.run(request).await;
    }
    refused(StatusCode::UNAUTHORIZED, "expected Authorization: Bearer and the setting api_token")
}

/// An agent as `attendant desk agents --json` has them.
fn described(name: &str, kept: &[KeptAgent]) -> Value {
    let row = kept.iter().find(|agent| agent.name == name);
    let (state, why) = row.map_or(Presence::SignedOut, |row| row.presence).words();
    json!({ "name": name, "state": state, "why": why, "since": row.map(|row| row.since.to_string()) })
}

async fn agents(State(api): State<Arc<Api>>) -> Result<Json<Vec<Value>>, Response> {
    let kept = api.kept().await?;
    let names = api.plan.agents.iter().map(|agent| agent.spec.name.as_str());
    Ok(Json(names.map(|name| described(name, &kept)).collect()))
}

/// What an agent wants.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    state: WantedState,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WantedState {
    Ready,
    Away,
    SignedOut,
}

async fn sign(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
    Json(wanted): Json<Wanted>,
) -> Result<Json<Value>, Response> {
    if api.plan.agent(&name).is_none() {
        return Err(refused(StatusCode::NOT_FOUND, "intents/desk.toml has no agent of that name"));
    }
    let presence = match wanted.state {
        WantedState::Ready => Presence::Ready,
        WantedState::Away => Presence::Away(AwayReason::Pause),
        WantedState::SignedOut => Presence::SignedOut,
    };
    let (store, signs) = (Arc::clone(&api.store), name.clone());
    api.asks(async move { store.sign_agent(&signs, presence, WHO, Timestamp::now()).await }).await?;
    Ok(Json(described(&name, &api.kept().await?)))
}

async fn package(State(api): State<Arc<Api>>, Path(call): Path<String>) -> Result<Json<Value>, Response> {
    let unknown = |why| refused(StatusCode::NOT_FOUND, why);
    let call: CallId = call.parse().map_err(|_| unknown("that is no call's id"))?;
    let store = Arc::clone(&api.store);
    let found = api.asks(async move {
        let kept = store.record(&call).await?;
        Ok((kept, store.written_up(&call).await?))
    });
    let (kept, written) = found.await?;
    let kept = kept.ok_or_else(|| unknown("there is no record of that call, or not yet"))?;
    let whole = whole_package(&kept, written.as_ref(), &api.plan);
    let whole = whole.map_err(|why| refused(StatusCode::INTERNAL_SERVER_ERROR, &why))?;
    whole.map(Json).ok_or_else(|| unknown("that call was neither handed to a person nor meant to be"))
}

/// All that a person gets with a caller, or would have got; `None` where nobody was meant to.
///
/// # Errors
/// Where the note of `[wrap_up]` cannot be filled in.
pub fn whole_package(
    kept: &KeptCall,
    written: Option<&WrittenUp>,
    plan: &DeskPlan,
) -> Result<Option<Value>, String> {
    let record = &kept.record;
    let Some(handoff) = &record.handoff else { return Ok(None) };
    let said = record.turns.iter();
    let said = said.map(|turn| json!({ "at": turn.at, "heard": turn.heard, "decision": turn.decision }));
    Ok(Some(json!({
        "call": record.id, "number": record.ani, "reference": record.reference, "briefing": briefing_of(handoff),
        "handoff": handoff, "stage": record.stage, "callback": record.callback,
        "transcript": said.collect::<Vec<_>>(), "note": plan.wrap_up.note(record, written)?, "wrap_up": written,
    })))
}

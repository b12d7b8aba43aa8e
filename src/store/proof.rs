//! Proofs of who a caller is, and the lock-out after wrong ones.
//!
//! A PIN is kept as an Argon2 hash and compared as one; nothing here writes a value anywhere.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use argon2::{Argon2, PasswordHasher, PasswordVerifier};

use super::{Store, StoreError};
use crate::call::{Pii, Query, Row};

/// What a proof is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    Pin,
    DateOfBirth,
    Postcode,
}

impl Proof {
    pub(super) fn of(look_up: &str) -> Option<Proof> {
        match look_up {
            "verify_pin" => Some(Proof::Pin),
            "verify_date_of_birth" => Some(Proof::DateOfBirth),
            "verify_postcode" => Some(Proof::Postcode),
            _ => None,
        }
    }

    fn sql(self) -> &'static str {
        match self {
            Proof::Pin => "SELECT pin_hash FROM customers WHERE id = $1",
            Proof::DateOfBirth => "SELECT born_on FROM customers WHERE id = $1",
            Proof::Postcode => "SELECT postcode FROM customers WHERE id = $1",
        }
    }
}

const WRONG: &str = "SELECT count(*) FROM wrong_proofs
    WHERE at_unix_ms > $1 AND (account = $2 OR ($3 IS NOT NULL AND ani = $3))";

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

/// Letters and digits alone, in capitals: "sw1a 1aa" and "SW1A1AA" are one postcode.
fn plain(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

impl Store {
    /// Checks a proof and keeps count of wrong ones, by account and by caller's number. One row with
    /// `result`: `right`, `wrong`, `locked`, or `unknown` where the account has nothing to compare with.
    pub(super) async fn check_proof(&self, proof: Proof, query: &Query) -> Result<Vec<Row>, StoreError> {
        let needed = |argument: &'static str| {
            let found = query.args.get(argument).or_else(|| query.secret.get(argument));
            found.ok_or_else(|| StoreError::MissingArgument { query: query.name.clone(), argument })
        };
        let account = needed("account")?.expose().clone();
        let attempts: i64 = needed("attempts")?.expose().parse().unwrap_or(1);
        let minutes: i64 = needed("lock_minutes")?.expose().parse().unwrap_or(30);
        let value = needed("value")?.clone();
        let ani = query.args.get("ani").map(|ani| ani.expose().clone());
        let since = now_ms().saturating_sub(minutes.saturating_mul(60_000));
        let wrong = self.wrong_proofs(since, &account, ani.as_deref()).await?;
        if wrong >= attempts {
            return Ok(result("locked"));
        }
        let Some(known) = self.proof_of(proof, &account).await? else { return Ok(result("unknown")) };
        if is_right(proof, known, value).await {
            self.forget_wrong_proofs(&account).await?;
            return Ok(result("right"));
        }
        self.count_wrong_proof(since, &account, ani.as_deref()).await?;
        Ok(result(if wrong + 1 >= attempts { "locked" } else { "wrong" }))
    }

    /// Sets a customer's PIN, or takes it away.
    ///
    /// # Errors
    /// Where the database cannot be written, or there is no such customer.
    pub async fn set_pin(&self, account: i64, pin: Option<&Pii<String>>) -> Result<(), StoreError> {
        let hash = match pin {
            Some(pin) => Some(hashed(pin.clone()).await.map_err(|why| StoreError::Unusable {
                path: self.path.clone(),
                why: format!("a PIN cannot be hashed: {why}"),
            })?),
            None => None,
        };
        let opened = self.current().await?;
        let done = sqlx::query("UPDATE customers SET pin_hash = $1 WHERE id = $2")
            .bind(hash)
            .bind(account)
            .execute(&opened.writer)
            .await
            .map_err(|e| StoreError::new(&self.path, &e))?;
        if done.rows_affected() == 0 {
            return Err(StoreError::Unusable {
                path: self.path.clone(),
                why: format!("there is no customer {account}"),
            });
        }
        Ok(())
    }

    async fn wrong_proofs(&self, since: i64, account: &str, ani: Option<&str>) -> Result<i64, StoreError> {
        let opened = self.current().await?;
        let counted =
            sqlx::query_scalar(WRONG).bind(since).bind(account).bind(ani).fetch_one(&opened.readers);
        counted.await.map_err(|e| StoreError::new(&self.path, &e))
    }

    async fn proof_of(&self, proof: Proof, account: &str) -> Result<Option<Pii<String>>, StoreError> {
        // What is no number is nobody's account.
        let Ok(number) = account.parse::<i64>() else { return Ok(None) };
        let opened = self.current().await?;
        let known: Option<Option<String>> = sqlx::query_scalar(proof.sql())
            .bind(number)
            .fetch_optional(&opened.readers)
            .await
            .map_err(|e| StoreError::new(&self.path, &e))?;
        Ok(known.flatten().map(Pii::new))
    }

    async fn count_wrong_proof(
        &self,
        since: i64,
        account: &str,
        ani: Option<&str>,
    ) -> Result<(), StoreError> {
        let opened = self.current().await?;
        let failed = |e| StoreError::new(&self.path, &e);
        let mut transaction = opened.begin().await.map_err(failed)?;
        let old = sqlx::query("DELETE FROM wrong_proofs WHERE at_unix_ms <= $1").bind(since);
        old.execute(&mut *transaction).await.map_err(failed)?;
        let new = sqlx::query("INSERT INTO wrong_proofs (account, ani, at_unix_ms) VALUES ($1, $2, $3)");
        new.bind(account).bind(ani).bind(now_ms()).execute(&mut *transaction).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }

    async fn forget_wrong_proofs(&self, account: &str) -> Result<(), StoreError> {
        let opened = self.current().await?;
        let gone = sqlx::query("DELETE FROM wrong_proofs WHERE account = $1").bind(account);
        gone.execute(&opened.writer).await.map(|_| ()).map_err(|e| StoreError::new(&self.path, &e))
    }
}

fn result(word: &str) -> Vec<Row> {
    vec![Row::from([("result".to_owned(), Pii::from(word))])]
}

/// Argon2 takes tens of milliseconds, on a thread where they hold nobody up.
async fn is_right(proof: Proof, known: Pii<String>, value: Pii<String>) -> bool {
    match proof {
        Proof::DateOfBirth => known == value,
        Proof::Postcode => plain(known.expose()) == plain(value.expose()),
        Proof::Pin => tokio::task::spawn_blocking(move || {
            argon2::PasswordHash::new(known.expose())
                .is_ok_and(|hash| Argon2::default().verify_password(value.expose().as_bytes(), &hash).is_ok())
        })
        .await
        .unwrap_or(false),
    }
}

async fn hashed(pin: Pii<String>) -> Result<String, String> {
    let hash = tokio::task::spawn_blocking(move || {
        Argon2::default()
            .hash_password(pin.expose().as_bytes())
            .map(|hash| hash.to_string())
            .map_err(|e| e.to_string())
    });
    hash.await.map_err(|e| e.to_string())?
}

/// A call that ended without an answer, of the number that calls now: only its last one, and only while
/// it is fresh.
const DROPPED: &str = "
    SELECT intent, slots, disposition, cause, started_at_unix_ms + duration_ms AS ended
    FROM calls WHERE ltrim(ani, '+') = $1 ORDER BY started_at_unix_ms DESC LIMIT 1";

impl Store {
    pub(super) async fn dropped_call(&self, query: &Query) -> Result<Vec<Row>, StoreError> {
        use sqlx::Row as _;

        let needed = |argument: &'static str| {
            query
                .args
                .get(argument)
                .ok_or_else(|| StoreError::MissingArgument { query: query.name.clone(), argument })
        };
        let digits: String = needed("ani")?.expose().chars().filter(char::is_ascii_digit).collect();
        let minutes: u64 = needed("within_minutes")?.expose().parse().unwrap_or(60);
        let opened = self.current().await?;
        let found = sqlx::query(DROPPED).bind(digits).fetch_optional(&opened.readers).await;
        let Some(found) = found.map_err(|e| StoreError::new(&self.path, &e))? else { return Ok(Vec::new()) };
        let text =
            |column: &str| found.try_get::<Option<String>, _>(column).ok().flatten().unwrap_or_default();
        let ended: i64 = found.try_get("ended").unwrap_or_default();
        let window = Duration::from_secs(minutes.saturating_mul(60)).as_millis();
        let fresh = now_ms().saturating_sub(ended) <= i64::try_from(window).unwrap_or(i64::MAX);
        let cut_off = matches!(text("cause").as_str(), "caller" | "channel_failed")
            && matches!(text("disposition").as_str(), "abandoned" | "unresolved");
        let intent = text("intent");
        if !fresh || !cut_off || intent.is_empty() {
            return Ok(Vec::new());
        }
        let slots: std::collections::BTreeMap<String, Pii<String>> =
            serde_json::from_str(&text("slots")).unwrap_or_default();
        let mut row = Row::from([("intent".to_owned(), Pii::new(intent))]);
        row.extend(slots.into_iter().map(|(name, value)| (format!("slot.{name}"), value)));
        Ok(vec![row])
    }
}

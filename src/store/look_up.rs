//! Look-ups by name: what a prompt needs to know about a customer or an order.

use sqlx::any::AnyRow;
use sqlx::{Column, Row as _, ValueRef};

use super::proof::Proof;
use super::{Store, StoreError};
use crate::call::{Pii, Query, Row};

/// The customer with a telephone number: `id`, `name`, `first_name`, `phone`.
const CUSTOMER_BY_ANI: &str = "
    SELECT CAST(id AS TEXT) AS id, name, name AS first_name, phone
    FROM customers WHERE phone = $1";

/// The fields of an order. `status` is one word for a prompt to choose by, `status_words` what may be
/// said; `open` is `yes` until it is delivered or cancelled. Dates are ISO 8601.
macro_rules! order_fields {
    () => {
        "SELECT o.number, o.item, o.status,
                CASE o.status WHEN 'processing' THEN 'being prepared' ELSE o.status END AS status_words,
                CASE WHEN o.status IN ('processing', 'shipped') THEN 'yes' ELSE 'no' END AS open,
                o.placed_on, o.expected_on, o.carrier, CAST(o.customer_id AS TEXT) AS customer_id, c.name
         FROM orders o JOIN customers c ON c.id = o.customer_id "
    };
}

/// One order.
const ORDER_BY_NUMBER: &str = concat!(order_fields!(), "WHERE o.number = $1");

/// A caller's orders, open ones first, newest first. Twenty are more than anyone listens to.
const ORDERS_BY_ANI: &str = concat!(
    order_fields!(),
    "WHERE c.phone = $1 ORDER BY open DESC, o.placed_on DESC, o.number DESC LIMIT 20"
);

/// A caller's orders that are still on their way, newest first.
const OPEN_ORDERS_BY_ANI: &str = concat!(
    order_fields!(),
    "WHERE c.phone = $1 AND o.status IN ('processing', 'shipped') ORDER BY o.placed_on DESC, o.number DESC LIMIT 20"
);

/// A caller's orders of one day.
const ORDERS_BY_DATE: &str = concat!(
    order_fields!(),
    "WHERE o.placed_on = $1 AND c.phone = $2 ORDER BY open DESC, o.number DESC LIMIT 20"
);

/// The orders of the customer of a surname, or a whole name, and a postcode.
const ORDERS_BY_NAME: &str = concat!(
    order_fields!(),
    "WHERE (lower(c.name) = lower($1) OR lower(c.name) LIKE '% ' || lower($1))
       AND upper(replace(c.postcode, ' ', '')) = upper(replace($2, ' ', ''))
     ORDER BY open DESC, o.placed_on DESC, o.number DESC LIMIT 20"
);

impl Store {
    /// Answers a look-up: rows of field to text; none is an answer too. A field without a value is left
    /// out. Waits no longer than the busy time-out.
    ///
    /// | name | argument | rows |
    /// |---|---|---|
    /// | `customer_by_ani` | `ani` | 0 or 1: `id`, `name`, `first_name`, `phone` |
    /// | `order_by_number` | `number` | 0 or 1: `number`, `item`, `status` (`processing`, `shipped`, `delivered`, `cancelled`), `status_words`, `open` (`yes`, `no`), `placed_on` and `expected_on` (ISO 8601), `carrier`, `customer_id`, `name` |
    /// | `orders_by_ani` | `ani` | the same for up to 20 orders, open ones first, newest first |
    /// | `open_orders_by_ani` | `ani` | the same for open orders only |
    /// | `orders_by_date` | `ani`, `date` | the same for orders placed on that day (ISO 8601) |
    /// | `orders_by_name` | `name`, `postcode` | the same for the customer of that name and postcode |
    /// | `dropped_call` | `ani`, `within_minutes` | 0 or 1: `intent`, and `slot.NAME` for each slot |
    /// | `verify_pin`, `verify_date_of_birth`, `verify_postcode` | `account`, `attempts`, `lock_minutes`, `value`, perhaps `ani` | 1: `result` |
    ///
    /// # Errors
    /// Where there is no such look-up, an argument is missing, or the database does not answer.
    pub async fn look_up(&self, query: &Query) -> Result<Vec<Row>, StoreError> {
        if let Some(proof) = Proof::of(&query.name) {
            return self.check_proof(proof, query).await;
        }
        let (sql, arguments): (&str, &[&'static str]) = match query.name.as_str() {
            "customer_by_ani" => (CUSTOMER_BY_ANI, &["ani"]),
            "order_by_number" => (ORDER_BY_NUMBER, &["number"]),
            "orders_by_ani" => (ORDERS_BY_ANI, &["ani"]),
            "open_orders_by_ani" => (OPEN_ORDERS_BY_ANI, &["ani"]),
            "orders_by_date" => (ORDERS_BY_DATE, &["date", "ani"]),
            "orders_by_name" => (ORDERS_BY_NAME, &["name", "postcode"]),
            "dropped_call" => return self.dropped_call(query).await,
            other => return Err(StoreError::UnknownQuery(other.to_owned())),
        };
        let mut bound = sqlx::query(sql);
        for &argument in arguments {
            let value = query
                .args
                .get(argument)
                .ok_or_else(|| StoreError::MissingArgument { query: query.name.clone(), argument })?;
            bound = bound.bind(match argument {
                // Numbers are kept as digits; a caller's may come with a + and an order's with spaces.
                "ani" | "number" => value.expose().chars().filter(char::is_ascii_digit).collect(),
                _ => value.expose().trim().to_owned(),
            });
        }
        let opened = self.current().await?;
        let found = bound.fetch_all(&opened.readers).await;
        let rows = found.map_err(|e| StoreError::new(&self.path, &e))?;
        rows.iter().map(|row| self.fields(row)).collect()
    }

    fn fields(&self, row: &AnyRow) -> Result<Row, StoreError> {
        let mut fields = Row::new();
        for column in row.columns() {
            let value = row.try_get_raw(column.ordinal());
            if value.map_err(|e| StoreError::new(&self.path, &e))?.is_null() {
                continue;
            }
            let mut text: String =
                row.try_get(column.ordinal()).map_err(|e| StoreError::new(&self.path, &e))?;
            if column.name() == "first_name" {
                text.truncate(text.find(' ').unwrap_or(text.len()));
            }
            fields.insert(column.name().to_owned(), Pii::new(text));
        }
        Ok(fields)
    }
}

//! Look-ups that the store answers: the one list that the store, the flow's checks and the
//! documentation go by.

/// A look-up's name, its arguments, and the fields of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookUpSpec {
    /// What `intents/` call it.
    pub name: &'static str,
    /// Its arguments; all are needed.
    pub args: &'static [&'static str],
    /// The fields that its rows may have.
    pub fields: &'static [&'static str],
}

/// The fields of a customer.
pub const CUSTOMER_FIELDS: &[&str] = &["id", "name", "first_name", "phone"];

const ORDER_FIELDS: &[&str] = &[
    "number",
    "item",
    "status",
    "status_words",
    "open",
    "placed_on",
    "expected_on",
    "carrier",
    "customer_id",
    "name",
];

/// What checks a proof of who the caller is. `value` travels as a secret; see
/// [`Query::secret`](super::Query::secret).
const PROOF_ARGS: &[&str] = &["account", "attempts", "lock_minutes", "value"];

/// `result` is `right`, `wrong`, `locked`, or `unknown` where the account has no such value.
const PROOF_FIELDS: &[&str] = &["result"];

/// All look-ups of the store, by name.
pub const LOOK_UPS: &[LookUpSpec] = &[
    LookUpSpec { name: "customer_by_ani", args: &["ani"], fields: CUSTOMER_FIELDS },
    LookUpSpec { name: "dropped_call", args: &["ani", "within_minutes"], fields: &["intent"] },
    LookUpSpec { name: "open_orders_by_ani", args: &["ani"], fields: ORDER_FIELDS },
    LookUpSpec { name: "order_by_number", args: &["number"], fields: ORDER_FIELDS },
    LookUpSpec { name: "orders_by_ani", args: &["ani"], fields: ORDER_FIELDS },
    LookUpSpec { name: "orders_by_date", args: &["ani", "date"], fields: ORDER_FIELDS },
    LookUpSpec { name: "orders_by_name", args: &["name", "postcode"], fields: ORDER_FIELDS },
    LookUpSpec { name: "verify_date_of_birth", args: PROOF_ARGS, fields: PROOF_FIELDS },
    LookUpSpec { name: "verify_pin", args: PROOF_ARGS, fields: PROOF_FIELDS },
    LookUpSpec { name: "verify_postcode", args: PROOF_ARGS, fields: PROOF_FIELDS },
];

/// The store's look-up of that name.
pub fn look_up_spec(name: &str) -> Option<&'static LookUpSpec> {
    LOOK_UPS.iter().find(|spec| spec.name == name)
}

//! A team's own tables, asked by the team's own queries: the same on both databases.

use super::*;

on_both! {
    a_teams_own_tables_answer,
    a_query_that_does_not_fit_is_named,
    nothing_can_be_written,
}

/// Somebody else's schema: whole numbers, dates and truth values where the demo shop has text.
const SCHEMA: &str = "
    CREATE TABLE client (no BIGINT PRIMARY KEY, full_name TEXT, tel TEXT, since DATE, gold BOOLEAN);
    CREATE TABLE parcel (code TEXT, client_no BIGINT, weight REAL, state TEXT);
    INSERT INTO client VALUES (7, 'Ann Field', '15550142', '2020-05-04', TRUE), (8, 'Bo', '15550143', NULL, FALSE);
    INSERT INTO parcel VALUES ('A-1', 7, 2.5, 'sent'), ('A-2', 7, 1.0, 'lost'), ('B-1', 8, 3.0, 'sent');";

impl Rig {
    /// A database beside the line's own, and the line's way to it.
    fn declared(&self) -> (PathBuf, Declared) {
        let address = match &self.url {
            None => self.folder.path().join("theirs.db"),
            Some(_) => PathBuf::from(postgres::database().expect("there is a server")),
        };
        self.runtime.block_on(async {
            sqlx::any::install_default_drivers();
            let url = match &self.url {
                None => file_url(&address, "rwc"),
                Some(_) => address.display().to_string(),
            };
            let mut connection = AnyConnection::connect(&url).await.expect("it opens");
            sqlx::raw_sql(SCHEMA).execute(&mut connection).await.expect("it is written");
            connection.close().await.expect("it closes");
        });
        let declared = self.runtime.block_on(Declared::open(&address)).expect("it opens");
        (address, declared)
    }
}

fn fields(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn a_teams_own_tables_answer(rig: &Rig) {
    let (_, declared) = rig.declared();
    let ask = |sql: &str, names: &[&str], argument: &str, value: &str| {
        let names = fields(names);
        let query = DeclaredQuery { name: "q", sql, fields: &names };
        rig.runtime.block_on(declared.check(&query)).expect("it fits");
        rig.runtime
            .block_on(declared.look_up(&query, &super::query("q", argument, value)))
            .expect("it answers")
    };
    let sql = "SELECT no AS id, full_name AS name, since, gold FROM client WHERE tel = :ani_digits";
    let rows = ask(sql, &["id", "name", "since", "gold"], "ani", "+1 555 0142");
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!((field(row, "id"), field(row, "name"), field(row, "since")), ("7", "Ann Field", "2020-05-04"));
    assert!(["1", "true"].contains(&field(row, "gold")), "{row:?}");
    let bo = ask(sql, &["id", "since"], "ani", "15550143");
    assert!(!bo[0].contains_key("since"), "a field without a value is left out");
    let sql = "SELECT p.code, p.weight, c.full_name FROM parcel p JOIN client c ON c.no = p.client_no
               WHERE c.no = CAST(:no AS BIGINT) -- its client
               ORDER BY p.code DESC";
    let rows = ask(sql, &["code", "weight", "full_name"], "no", "7");
    assert_eq!(rows.iter().map(|row| field(row, "code")).collect::<Vec<_>>(), ["A-2", "A-1"]);
    assert!(field(&rows[1], "weight").starts_with("2.5"));
    let injected = ask("SELECT code FROM parcel WHERE code = :code", &["code"], "code", "' OR 1=1 --");
    assert!(injected.is_empty());
}

fn a_query_that_does_not_fit_is_named(rig: &Rig) {
    let (_, declared) = rig.declared();
    for (sql, names) in [
        ("SELECT code FROM parcels", ["code"]),
        ("SELECT code FROM parcel", ["colour"]),
        ("SELECT code FROM parcel WHERE", ["code"]),
        ("DELETE FROM parcel", ["code"]),
    ] {
        let names = fields(&names);
        let wrong =
            rig.runtime.block_on(declared.check(&DeclaredQuery { name: "my_parcels", sql, fields: &names }));
        let why = wrong.expect_err(sql).to_string();
        assert!(why.contains("[sql.my_parcels]"), "{why}");
    }
    let names = fields(&["code"]);
    let query =
        DeclaredQuery { name: "q", sql: "SELECT code FROM parcel WHERE code = :code", fields: &names };
    let why = rig.runtime.block_on(declared.look_up(&query, &super::query("q", "number", "1")));
    assert!(why.expect_err("an argument is missing").to_string().contains("'code'"));
    let nowhere = rig.folder.path().join("nowhere.db");
    let opened = rig.runtime.block_on(Declared::open(&nowhere));
    assert!(matches!(opened, Err(StoreError::Gone(_))) && !nowhere.exists(), "nothing is made");
}

fn nothing_can_be_written(rig: &Rig) {
    let (address, declared) = rig.declared();
    let names = fields(&["code"]);
    // What no team writes by accident: a query that writes.
    let sql = "WITH gone AS (DELETE FROM parcel RETURNING code) SELECT code FROM gone";
    let query = DeclaredQuery { name: "q", sql, fields: &names };
    assert!(rig.runtime.block_on(declared.check(&query)).is_err());
    for statement in ["DELETE FROM parcel", "CREATE TABLE mine (a TEXT)"] {
        let written = rig.runtime.block_on(sqlx::raw_sql(statement).execute(&declared.pool));
        assert!(written.is_err(), "{statement}");
    }
    let again = rig.runtime.block_on(Declared::open(&address)).expect("it opens");
    let query = DeclaredQuery { name: "q", sql: "SELECT code FROM parcel", fields: &names };
    let asked = Query::new("q", BTreeMap::new());
    assert_eq!(rig.runtime.block_on(again.look_up(&query, &asked)).expect("it answers").len(), 3);
}

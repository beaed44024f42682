use session_core::ConfigError;

/// The name of the table of records, checked so that it can be written into a statement. The names of the other table
/// and of the indexes are made of it.
#[derive(Clone, Debug)]
pub(crate) struct TableName(String);

/// What follows the name of the table in the names that are made of it. PostgreSQL makes the last one.
const ENDINGS: [&str; 5] = ["_moved", "_moved_until", "_expires_at", "_principal", "_pkey"];

impl TableName {
    pub(crate) const DEFAULT: &'static str = "session_records";

    /// PostgreSQL cuts names at 63 bytes. The longest ending has 12 bytes, and PostgreSQL's own for the other table 11.
    const MAX_BYTES: usize = 40;

    /// Nothing is made of the name of a schema.
    const MAX_SCHEMA_BYTES: usize = 63;

    /// Checks a name: `table` or `schema.table`.
    pub(crate) fn checked(name: &str) -> Result<Self, ConfigError> {
        // Letters of any language. What could be quoted and is not a letter could be mistaken for something else.
        let is_word = |word: &str, max_bytes: usize| {
            let starts_well = word.starts_with(|c: char| c.is_alphabetic() || c == '_');
            let goes_on_well = word.chars().all(|c| c.is_alphanumeric() || c == '_');
            starts_well && goes_on_well && word.len() <= max_bytes
        };
        let (schema, table) = name.rsplit_once('.').unwrap_or(("_", name));
        if !is_word(schema, TableName::MAX_SCHEMA_BYTES) || !is_word(table, TableName::MAX_BYTES) {
            return Err(ConfigError::new(format!(
                "{name:?} is not allowed as the name of a table; write `table` or `schema.table`, of letters, digits and \
                 underscores, not beginning with a digit, the schema of at most {} bytes and the table of at most {}",
                TableName::MAX_SCHEMA_BYTES,
                TableName::MAX_BYTES
            )));
        }
        // SQLite does not tell names apart by their case.
        let lower_case = name.to_ascii_lowercase();
        if let Some(ending) = ENDINGS.iter().find(|ending| lower_case.ends_with(**ending)) {
            return Err(ConfigError::new(format!(
                "{name:?} is not allowed as the name of a table, because names that end with `{ending}` belong to the \
                 tables and indexes of other stores; write a name with another end"
            )));
        }
        Ok(TableName(name.to_owned()))
    }

    /// Writes the table into the text of statements: `{table}` becomes the whole name, `{moved}` that of the table of
    /// moved notes, `{name}` the name without schema and quotes, and `{schema}` the schema with a dot, if there is one.
    pub(crate) fn fill(&self, text: &str) -> String {
        let (schema, name) = match self.0.split_once('.') {
            Some((schema, name)) => (format!("\"{schema}\"."), name),
            None => (String::new(), self.0.as_str()),
        };
        text.replace("{table}", "{schema}\"{name}\"")
            .replace("{moved}", "{schema}\"{name}_moved\"")
            .replace("{schema}", &schema)
            .replace("{name}", name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_indexes_are_quoted_with_their_schema() {
        let table = TableName::checked("app.Visits_2").unwrap();
        assert_eq!(table.fill("{table} {moved}"), r#""app"."Visits_2" "app"."Visits_2_moved""#);
        assert_eq!(table.fill(r#"{schema}"{name}_idx""#), r#""app"."Visits_2_idx""#);
        let table = TableName::checked("visits").unwrap();
        assert_eq!(table.fill(r#"{table} {moved} {schema}"{name}_idx""#), r#""visits" "visits_moved" "visits_idx""#);
    }

    #[test]
    fn a_name_that_would_need_escaping_is_refused() {
        let long = "a".repeat(TableName::MAX_BYTES + 1);
        let long_umlaut = "ä".repeat(TableName::MAX_BYTES / 2 + 1);
        let long_schema = format!("{}.a", "a".repeat(TableName::MAX_SCHEMA_BYTES + 1));
        // The last one is an `ä` of two characters.
        let wrong = ["", ".", "a.", ".a", "a.b.c", "1a", "a b", "a\"b", "a'b", "a;b", "a-b", "a\0", "a\u{308}"];
        for name in wrong.into_iter().chain([&*long, &long_umlaut, &long_schema]) {
            assert!(TableName::checked(name).is_err(), "{name:?}");
        }
        let longest = format!("{}.{}", "a".repeat(63), "ä".repeat(TableName::MAX_BYTES / 2));
        for name in ["user", "Größen", "会話", "_", &longest] {
            assert!(TableName::checked(name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn a_name_that_another_stores_table_or_index_has_is_refused() {
        for name in ["visits_moved", "app.visits_MOVED", "visits_principal", "visits_expires_at", "a_moved_until"] {
            let refused = TableName::checked(name).expect_err(name).to_string();
            assert!(refused.contains(name) && refused.contains("another end"), "{refused}");
        }
        assert!(TableName::checked("moved").is_ok() && TableName::checked("moved_visits").is_ok());
    }

    /// Otherwise two tables of long names would share an index, and one of them have none.
    #[test]
    fn no_name_is_longer_than_postgresql_keeps() {
        for ending in ENDINGS.iter().copied().chain(["_moved_pkey"]) {
            assert!(TableName::MAX_BYTES + ending.len() <= 63, "{ending}");
        }
    }
}

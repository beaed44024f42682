//! How many bytes of memory a value takes.

use std::mem::size_of;

use serde_json::Value;

/// A member of an object, with its share of a node of the tree. A node has room for 11, and is about half full.
const MEMBER: usize = 2 * (size_of::<String>() + size_of::<Value>());

/// What a value owns beside its own few bytes. About right, and never far too little: a list of zeros takes sixteen
/// times what it takes as JSON.
pub(in crate::record) fn owned_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.capacity(),
        Value::Array(items) => items.capacity() * size_of::<Value>() + items.iter().map(owned_bytes).sum::<usize>(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| MEMBER + name.capacity() + owned_bytes(value)).sum()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_value_owns_counts_however_short_it_is_as_json() {
        assert_eq!(owned_bytes(&json!(7)), 0);
        assert!(owned_bytes(&json!("x".repeat(1000))) >= 1000);
        assert!(owned_bytes(&json!(vec![0; 1000])) >= 1000 * size_of::<Value>());
        assert!(owned_bytes(&json!({"a": {"b": "x".repeat(1000)}})) >= 1000 + 2 * MEMBER);
    }
}

use std::collections::BTreeSet;

use redis::{FromRedisValue, RedisResult, Value};

/// Which master has which slots of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slots {
    /// First and last slot, and their master; in order.
    ranges: Vec<(u16, u16, Node)>,
    /// All servers that take part, replicas too.
    nodes: BTreeSet<Node>,
}

/// One server of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Node {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Slots {
    /// Reads the answer to `CLUSTER SLOTS`. Servers without a name are left out: whoever answered does not know its own.
    pub(crate) fn parse(answer: Value) -> RedisResult<Self> {
        let mut slots = Slots::default();
        for range in Vec::<Vec<Value>>::from_redis_value(answer)? {
            let mut range = range.into_iter();
            let (Some(first), Some(last)) = (range.next(), range.next()) else { continue };
            let (first, last) = (u16::from_redis_value(first)?, u16::from_redis_value(last)?);
            let mut nodes = range.map(Node::read);
            if let Some(Some(master)) = nodes.next() {
                slots.nodes.insert(master.clone());
                slots.ranges.push((first, last, master));
            }
            slots.nodes.extend(nodes.flatten());
        }
        slots.ranges.sort();
        Ok(slots)
    }

    pub(crate) fn masters(&self) -> BTreeSet<&Node> {
        self.ranges.iter().map(|(_, _, master)| master).collect()
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter()
    }
}

impl Node {
    /// Reads `HOST:PORT`.
    pub(crate) fn parse(address: &str) -> Option<Self> {
        let (host, port) = address.rsplit_once(':')?;
        Some(Node { host: host.to_owned(), port: port.parse().ok()? })
    }

    fn read(value: Value) -> Option<Self> {
        let mut fields = Vec::<Value>::from_redis_value(value).ok()?.into_iter();
        let host = Option::<String>::from_redis_value(fields.next()?).ok()??;
        let port = u16::from_redis_value(fields.next()?).ok()?;
        (!host.is_empty() && host != "?").then_some(Node { host, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(host: &str, port: i64) -> Value {
        Value::Array(vec![Value::BulkString(host.into()), Value::Int(port), Value::BulkString("id".into())])
    }

    fn range(first: i64, last: i64, nodes: &[Value]) -> Value {
        Value::Array([&[Value::Int(first), Value::Int(last)], nodes].concat())
    }

    #[test]
    fn maps_are_the_same_in_whatever_order_they_are_told() {
        let (low, high) = (range(0, 99, &[node("a", 1), node("b", 2)]), range(100, 199, &[node("c", 3)]));
        let slots = Slots::parse(Value::Array(vec![low.clone(), high.clone()])).unwrap();
        assert_eq!(slots, Slots::parse(Value::Array(vec![high, low])).unwrap());
        assert_eq!(slots.masters().len(), 2);
        assert_eq!(slots.nodes().count(), 3);
        let promoted = range(0, 99, &[node("b", 2), node("a", 1)]);
        assert_ne!(slots, Slots::parse(Value::Array(vec![promoted])).unwrap());
    }

    #[test]
    fn servers_without_a_name_are_left_out() {
        let range = range(0, 99, &[node("", 1), node("?", 2), Value::Nil, node("a", 3)]);
        let slots = Slots::parse(Value::Array(vec![range])).unwrap();
        assert_eq!((slots.masters().len(), slots.nodes().count()), (0, 1));
        assert!(Slots::parse(Value::Okay).is_err());
    }
}

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use redis::cluster_routing::Slot;
use redis::{Arg, Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult, ServerErrorKind, Value};

/// Which master has which slots of a cluster.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Slots {
    masters: HashMap<Slot, Arc<Node>>,
    /// The master of some slot, for commands without a key, and for slots that nobody is known to have: it knows more.
    some: Arc<Node>,
    /// All servers that take part, replicas too.
    nodes: BTreeSet<Arc<Node>>,
    /// Slots have a master whose host the servers do not know.
    has_nameless_master: bool,
}

/// One server of a cluster, by the address that the servers tell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Node {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// Where a server says that a command belongs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Redirection {
    /// To the master that has the slot from now on.
    Moved(Slot, Node),
    /// To the server that is getting the slot, this once.
    Ask(Node),
}

impl Slots {
    /// Reads the answer to `CLUSTER SLOTS` of a server that is at this host. An error if no master has any slot.
    pub(crate) fn parse(answer: Value, asked: &str) -> RedisResult<Self> {
        let (mut masters, mut some, mut nodes) = (HashMap::new(), None, BTreeSet::new());
        let mut has_nameless_master = false;
        for range in Vec::<Vec<Value>>::from_redis_value(answer)? {
            let mut range = range.into_iter();
            let (Some(first), Some(last)) = (range.next(), range.next()) else { continue };
            let (first, last) = (u16::from_redis_value(first)?, u16::from_redis_value(last)?);
            let mut servers = range.map(|server| Some(known(&mut nodes, Node::read(server, asked)?)));
            match servers.next().flatten() {
                Some(master) => {
                    masters.extend((first..=last).filter_map(Slot::new).map(|slot| (slot, master.clone())));
                    some.get_or_insert(master);
                }
                None => has_nameless_master = true,
            }
            // The replicas become known.
            servers.for_each(drop);
        }
        let Some(some) = some else {
            return Err((ErrorKind::ClusterConnectionNotFound, "no server has slots of the cluster").into());
        };
        Ok(Slots { masters, some, nodes, has_nameless_master })
    }

    /// The master that has the slot, or that knows who has it.
    pub(crate) fn master(&self, slot: Option<Slot>) -> &Arc<Node> {
        slot.and_then(|slot| self.masters.get(&slot)).unwrap_or(&self.some)
    }

    /// Notes that another master has the slot.
    pub(crate) fn note(&mut self, slot: Slot, master: Node) -> Arc<Node> {
        let master = known(&mut self.nodes, master);
        self.masters.insert(slot, master.clone());
        master
    }

    /// The masters that are named.
    pub(crate) fn masters(&self) -> BTreeSet<&Arc<Node>> {
        self.masters.values().collect()
    }

    /// Every master. An error if the servers do not know the host of one.
    pub(crate) fn all_masters(&self) -> RedisResult<BTreeSet<&Arc<Node>>> {
        if self.has_nameless_master {
            return Err((ErrorKind::ClusterConnectionNotFound, "the cluster does not tell the host of a master").into());
        }
        Ok(self.masters())
    }

    pub(crate) fn nodes(&self) -> &BTreeSet<Arc<Node>> {
        &self.nodes
    }
}

/// One copy of each node.
fn known(nodes: &mut BTreeSet<Arc<Node>>, node: Node) -> Arc<Node> {
    if let Some(known) = nodes.get(&node) {
        return known.clone();
    }
    let node = Arc::new(node);
    nodes.insert(node.clone());
    node
}

impl Node {
    /// Reads `HOST:PORT`, which the server at the host `asked` tells.
    fn parse(address: &str, asked: &str) -> Option<Self> {
        let (host, port) = address.rsplit_once(':')?;
        Node::named(host, port.parse().ok()?, asked)
    }

    fn read(value: Value, asked: &str) -> Option<Self> {
        let mut fields = Vec::<Value>::from_redis_value(value).ok()?.into_iter();
        let host = Option::<String>::from_redis_value(fields.next()?).ok()?;
        Node::named(&host.unwrap_or_default(), u16::from_redis_value(fields.next()?).ok()?, asked)
    }

    /// No host, or that of every interface, is the one that was asked. The servers do not know the host `?`.
    fn named(host: &str, port: u16, asked: &str) -> Option<Self> {
        let host = if ["", "0.0.0.0", "::"].contains(&host) { asked } else { host };
        (host != "?" && !host.is_empty()).then(|| Node { host: host.to_owned(), port })
    }
}

impl Redirection {
    /// Reads an error of the server at the host `asked`. `None` if it is another one, or names no server.
    pub(crate) fn parse(error: &RedisError, asked: &str) -> Option<Self> {
        let (address, slot) = error.redirect_node()?;
        let node = Node::parse(address, asked)?;
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::Ask) => Some(Redirection::Ask(node)),
            _ => Some(Redirection::Moved(Slot::new(slot)?, node)),
        }
    }
}

/// The slot of a command's key, which comes first or, if the command runs a script, third. `None` if it has no key.
pub(crate) fn slot_of(command: &Cmd) -> Option<Slot> {
    let mut arguments = command.args_iter();
    let is_script = matches!(arguments.next(), Some(Arg::Simple(b"EVAL" | b"EVALSHA")));
    match arguments.nth(if is_script { 2 } else { 0 }) {
        Some(Arg::Simple(key)) => Some(Slot::for_key(key)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(host: &str, port: i64) -> Value {
        Value::Array(vec![Value::BulkString(host.into()), Value::Int(port), Value::BulkString("id".into())])
    }

    fn range(first: i64, last: i64, servers: &[Value]) -> Value {
        Value::Array([&[Value::Int(first), Value::Int(last)], servers].concat())
    }

    fn parse(ranges: &[Value]) -> RedisResult<Slots> {
        Slots::parse(Value::Array(ranges.to_vec()), "asked")
    }

    fn node(host: &str, port: u16) -> Node {
        Node { host: host.to_owned(), port }
    }

    fn master(slots: &Slots, slot: u16) -> (&str, u16) {
        let master = slots.master(Slot::new(slot));
        (&master.host, master.port)
    }

    fn refusal(line: &str) -> RedisError {
        let answer = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        answer.extract_error().unwrap_err()
    }

    #[test]
    fn every_slot_has_its_master() {
        let low = range(0, 99, &[server("a", 1), server("b", 2)]);
        let slots = parse(&[low, range(100, 16383, &[server("c", 3)])]).unwrap();
        assert_eq!([0, 99, 100, 16383].map(|slot| master(&slots, slot).0), ["a", "a", "c", "c"]);
        assert_eq!((slots.masters().len(), slots.nodes().len()), (2, 3));
    }

    #[test]
    fn a_slot_that_moved_has_its_new_master_at_once() {
        let mut slots = parse(&[range(0, 99, &[server("a", 1), server("b", 2)])]).unwrap();
        for moved in [node("b", 2), node("c", 3)] {
            let named = slots.note(Slot::new(7).unwrap(), moved.clone());
            assert_eq!((&*named, &**slots.master(Slot::new(7))), (&moved, &moved));
        }
        assert_eq!((master(&slots, 6), slots.nodes().len()), (("a", 1), 3));
    }

    #[test]
    fn some_master_is_asked_for_what_nobody_is_known_to_have() {
        let slots = parse(&[range(0, 99, &[server("a", 1)]), range(100, 199, &[server("?", 2)])]).unwrap();
        assert_eq!([150, 200].map(|slot| master(&slots, slot)), [("a", 1); 2]);
        assert!(slots.all_masters().is_err(), "the second has no name");
        assert_eq!(slots.master(None).host, "a");
    }

    #[test]
    fn a_server_without_a_name_is_the_one_that_was_asked() {
        let nameless = Value::Array(vec![Value::Nil, Value::Int(4)]);
        let servers = [server("", 1), server("0.0.0.0", 2), server("::", 3), nameless, server("?", 5)];
        let slots = parse(&[range(0, 99, &servers)]).unwrap();
        let named: Vec<Node> = slots.nodes().iter().map(|node| (**node).clone()).collect();
        assert_eq!(named, [1, 2, 3, 4].map(|port| node("asked", port)));
    }

    #[test]
    fn what_names_no_master_is_no_map() {
        assert!(Slots::parse(Value::Okay, "asked").is_err());
        assert!(parse(&[]).is_err());
        assert!(parse(&[range(0, 99, &[server("?", 1), server("a", 2)])]).is_err());
    }

    #[test]
    fn a_redirection_names_a_server() {
        let moved = |host, port| Some(Redirection::Moved(Slot::new(3999).unwrap(), node(host, port)));
        let parse = |line| Redirection::parse(&refusal(line), "asked");
        assert_eq!(parse("MOVED 3999 127.0.0.1:6381"), moved("127.0.0.1", 6381));
        assert_eq!(parse("MOVED 3999 2001:db8::1:6381"), moved("2001:db8::1", 6381));
        assert_eq!(parse("MOVED 3999 :6381"), moved("asked", 6381));
        assert_eq!(parse("ASK 3999 cache:6381"), Some(Redirection::Ask(node("cache", 6381))));
        for other in ["MOVED 3999 ?:6381", "MOVED 16384 cache:6381", "MOVED", "TRYAGAIN a moment", "ERR no"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_command_goes_where_its_key_is() {
        let script = |name| slot_of(redis::cmd(name).arg("hash").arg(2).arg("session:{a}b").arg("other").arg("value"));
        let expected = Slot::for_key("a");
        assert_eq!([script("EVAL"), script("EVALSHA")], [Some(expected); 2]);
        assert_eq!(slot_of(redis::cmd("GETRANGE").arg("session:{a}c").arg(0).arg(9)), Some(expected));
        assert_eq!(slot_of(&redis::cmd("PING")), None);
    }
}

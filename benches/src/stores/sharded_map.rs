use std::collections::HashMap;
use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::{Contender, two_attributes};
use crate::stats::Random;

pub type Id = [u8; 18];
type Values = Vec<(String, serde_json::Value)>;
type Shard = RwLock<HashMap<Id, Arc<Mutex<Values>>>>;

/// The floor: 64 shards of lock and map. It looks at no clock, and knows no deadlines or bounds.
pub struct ShardedMap(Vec<Shard>);

impl ShardedMap {
    fn shard(&self, id: &Id) -> &Shard {
        &self.0[usize::from(id[17]) % 64]
    }

    fn find(&self, id: &Id) -> Option<Arc<Mutex<Values>>> {
        self.shard(id).read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }
}

impl Contender for ShardedMap {
    type Id = Id;
    type Prepared = (Id, Values);

    fn with_capacity(_: usize) -> Self {
        ShardedMap((0..64).map(|_| Shard::default()).collect())
    }

    fn new_record(&self, random: &mut Random) -> (Id, (Id, Values)) {
        let id = random.bytes();
        (id, (id, two_attributes(0)))
    }

    fn create(&self, (id, values): (Id, Values)) {
        let mut shard = self.shard(&id).write().unwrap_or_else(PoisonError::into_inner);
        shard.insert(id, Arc::new(Mutex::new(values)));
    }

    fn get(&self, id: Id) {
        black_box(self.find(&id));
    }

    fn prepare_save(&self, id: Id) -> (Id, Values) {
        black_box(self.find(&id));
        (id, two_attributes(1))
    }

    fn save(&self, (id, values): (Id, Values)) -> bool {
        let Some(found) = self.find(&id) else { return false };
        *found.lock().unwrap_or_else(PoisonError::into_inner) = values;
        true
    }

    fn delete(&self, id: Id) {
        let removed = self.shard(&id).write().unwrap_or_else(PoisonError::into_inner).remove(&id);
        drop(removed);
    }
}

use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};

use dashmap::DashMap;

use super::{Contender, sharded_map::Id, two_attributes};
use crate::stats::Random;

type Values = Vec<(String, serde_json::Value)>;

pub struct Dashed(DashMap<Id, Arc<Mutex<Values>>>);

impl Dashed {
    fn find(&self, id: &Id) -> Option<Arc<Mutex<Values>>> {
        self.0.get(id).map(|found| Arc::clone(&found))
    }
}

impl Contender for Dashed {
    type Id = Id;
    type Prepared = (Id, Values);

    fn with_capacity(_: usize) -> Self {
        Dashed(DashMap::new())
    }

    fn new_record(&self, random: &mut Random) -> (Id, (Id, Values)) {
        let id = random.bytes();
        (id, (id, two_attributes(0)))
    }

    fn create(&self, (id, values): (Id, Values)) {
        self.0.insert(id, Arc::new(Mutex::new(values)));
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
        drop(self.0.remove(&id));
    }
}

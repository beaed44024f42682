use workspace_tests::troubled::{Backend, Trouble};

/// Where the server with the trouble stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Alone,
    /// The fast tier, written through.
    Fast,
    /// The fast tier, written behind.
    FastBehind,
    /// The durable tier, written through.
    Durable,
    /// The durable tier, written behind.
    DurableBehind,
}

impl Place {
    pub fn is_behind(self) -> bool {
        matches!(self, Place::FastBehind | Place::DurableBehind)
    }

    pub fn is_fast(self) -> bool {
        matches!(self, Place::Fast | Place::FastBehind)
    }
}

/// What a visitor is told of one kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It succeeds.
    Success,
    /// It is an error: 503.
    Failure,
    /// Either, as it happens.
    Either,
    /// Either, or the session is lost: Memcached drops what it has no room to replace.
    Loss,
}

/// What visitors are told while the trouble lasts.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// Reading a session that is in use.
    pub read: Told,
    /// Counting, with a value that needs room.
    pub save: Told,
    /// Logging in, with such a value.
    pub create: Told,
    /// Ending one session, and all of a user.
    pub end: Told,
}

impl Expected {
    pub fn of(place: Place, backend: Backend, trouble: Trouble) -> Self {
        use Told::*;
        let all = |told| Expected { read: told, save: told, create: told, end: told };
        // In the room of an item that is dropped, another one finds its place.
        if (backend, trouble) == (Backend::Memcached, Trouble::Full) {
            return match place {
                Place::Alone => Expected { read: Success, save: Loss, ..all(Either) },
                _ => Expected { end: Either, ..all(Success) },
            };
        }
        match place {
            // Ending needs no room.
            Place::Alone if trouble == Trouble::Full => Expected { read: Success, end: Success, ..all(Failure) },
            Place::Alone if matches!(trouble, Trouble::ReadOnly | Trouble::Demoted) => {
                Expected { read: Success, ..all(Failure) }
            }
            Place::Alone if trouble == Trouble::Slow => all(Either),
            // It is still read while another program writes.
            Place::Alone if backend == Backend::Sqlite => Expected { read: Success, ..all(Failure) },
            Place::Alone => all(Failure),
            // Nobody knows whether the copy is gone.
            Place::Fast | Place::FastBehind => Expected { end: Failure, ..all(Success) },
            Place::Durable if trouble == Trouble::Full => Expected { read: Success, end: Success, ..all(Failure) },
            Place::Durable if trouble == Trouble::Slow => Expected { read: Success, ..all(Either) },
            Place::Durable => Expected { read: Success, ..all(Failure) },
            // What is saved waits.
            Place::DurableBehind if trouble == Trouble::Full => Expected { create: Failure, ..all(Success) },
            Place::DurableBehind if trouble == Trouble::Slow => {
                Expected { read: Success, save: Success, ..all(Either) }
            }
            Place::DurableBehind => Expected { read: Success, save: Success, ..all(Failure) },
        }
    }
}

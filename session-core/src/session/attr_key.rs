use std::fmt;
use std::marker::PhantomData;

/// The name of an attribute together with the type of its value.
///
/// The compiler then refuses to read or write the attribute with another type. A plain `&str` names an
/// attribute too; the type is then given at each read, as in `session.attr::<u32>("Count")`.
///
/// ```
/// use session_core::{AttrKey, Error, Session};
///
/// const COUNT: AttrKey<u32> = AttrKey::new("Count");
///
/// fn count_visit(session: &Session) -> Result<(), Error> {
///     let visits = session.attr(COUNT)?.unwrap_or(0);
///     session.set_attr(COUNT, &(visits + 1))
/// }
/// ```
pub struct AttrKey<T> {
    name: &'static str,
    value: PhantomData<fn() -> T>,
}

impl<T> AttrKey<T> {
    /// Makes the key of the attribute with this name.
    pub const fn new(name: &'static str) -> Self {
        AttrKey { name, value: PhantomData }
    }
}

impl<T> Clone for AttrKey<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for AttrKey<T> {}

impl<T> fmt::Debug for AttrKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AttrKey({:?})", self.name)
    }
}

/// Names an attribute: an [`AttrKey`], a `&str` or a `&String`.
pub trait Name {
    /// The attribute's name.
    fn name(&self) -> &str;
}

/// Names an attribute that can be read as a `T`: a `&str` for any type, an [`AttrKey<T>`](AttrKey) for its own.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name an attribute of type `{T}`",
    note = "use a `&str`, or an `AttrKey<{T}>`"
)]
pub trait AttrName<T: ?Sized>: Name {}

/// Names an attribute that a `V` can be written to: a `&str` for any type, an [`AttrKey<V>`](AttrKey) for its
/// own, and an `AttrKey<String>` also for a `str`.
#[diagnostic::on_unimplemented(
    message = "a value of type `{V}` can't be written under `{Self}`",
    note = "an `AttrKey<T>` takes a `&T`; a `&str` takes a reference to any value"
)]
pub trait WriteName<V: ?Sized>: Name {}

impl Name for &str {
    fn name(&self) -> &str {
        self
    }
}

impl Name for &String {
    fn name(&self) -> &str {
        self
    }
}

impl<T> Name for AttrKey<T> {
    fn name(&self) -> &str {
        self.name
    }
}

impl<T> AttrName<T> for &str {}
impl<T> AttrName<T> for &String {}
impl<T> AttrName<T> for AttrKey<T> {}

impl<V: ?Sized> WriteName<V> for &str {}
impl<V: ?Sized> WriteName<V> for &String {}
impl<V> WriteName<V> for AttrKey<V> {}
impl WriteName<str> for AttrKey<String> {}

use std::fmt;
use std::marker::PhantomData;

/// The name of an attribute together with the type of its value.
///
/// ```
/// use session_core::AttrKey;
///
/// const COUNT: AttrKey<u32> = AttrKey::new("Count");
/// ```
///
/// The compiler then keeps reads and writes of it to that type. A plain `&str` names an
/// attribute as well, with the type given where it is read.
pub struct AttrKey<T> {
    name: &'static str,
    value: PhantomData<fn() -> T>,
}

impl<T> AttrKey<T> {
    /// The key of this name.
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

/// The name of an attribute: an [`AttrKey`] or a `&str`.
pub trait Name {
    /// The name itself.
    fn name(&self) -> &str;
}

/// A name under which a value of type `T` may be read.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name an attribute of type `{T}`",
    note = "use a `&str`, or an `AttrKey<{T}>`"
)]
pub trait AttrName<T: ?Sized>: Name {}

/// A name under which a value of type `V` may be written.
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

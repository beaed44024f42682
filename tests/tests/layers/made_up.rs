//! The rules on crates that are made up, so that they can be seen to fail.

use crate::rules::{Rules, complaints};
use crate::tree::Tree;

const RULES: Rules = Rules { root: "lib.rs", order: &[], imports_name_the_owner: false };

fn complaints_of(rules: &Rules, files: &[(&str, &str)]) -> Vec<String> {
    let read = |wanted: &str| files.iter().find(|(file, _)| *file == wanted).map(|(_, text)| text.to_string());
    complaints(&Tree::read("lib.rs", &read), rules)
}

#[track_caller]
fn assert_complaint(rules: &Rules, files: &[(&str, &str)], lines: &[&str]) {
    assert_eq!(complaints_of(rules, files), [lines.join("\n    ")]);
}

#[track_caller]
fn assert_fine(rules: &Rules, files: &[(&str, &str)]) {
    assert_eq!(complaints_of(rules, files), Vec::<String>::new());
}

#[test]
fn a_circle_of_files_is_told_name_by_name() {
    assert_complaint(
        &RULES,
        &[
            ("lib.rs", "mod a; mod b; mod c; mod d;"),
            ("a.rs", "use crate::b::B; pub struct A;"),
            ("b.rs", "use super::c::{C, Other as Another}; pub struct B;"),
            ("c.rs", "pub struct C; pub struct Other; fn c(_: crate::a::A) {}"),
            ("d.rs", "use crate::a::A;"),
        ],
        &[
            "files in a circle: a -> b -> c -> a",
            "a.rs imports B of b.rs",
            "b.rs imports C of c.rs",
            "c.rs imports A of a.rs",
        ],
    );
}

#[test]
fn one_direction_is_fine() {
    assert_fine(
        &RULES,
        &[
            ("lib.rs", "mod a; mod b; mod c; pub use a::A;"),
            ("a.rs", "use crate::{b::B, c}; use redis::Client; pub struct A; fn a() { c::c(); redis::cmd() }"),
            ("b.rs", "use crate::c::*; pub struct B(C);"),
            ("c.rs", "pub struct C; pub fn c() {}"),
        ],
    );
}

#[test]
fn paths_count_in_code_and_in_what_macros_are_given() {
    for body in ["crate::a::a()", "super::a::a()", "assert!(x, \"{}\", f(crate::a::a()))", "a::a()"] {
        let b = format!("use crate::a; pub fn b() {{ {body} }}");
        let files = [("lib.rs", "mod a; mod b;"), ("a.rs", "pub fn a() { crate::b::b() }"), ("b.rs", &b)];
        assert_eq!(complaints_of(&RULES, &files).len(), 1, "{body}");
    }
}

#[test]
fn what_only_tests_know_is_left_out() {
    for tests in [
        "#[cfg(test)] mod tests { use crate::b::B; }",
        "#[cfg(test)] mod tests;",
        "#[cfg(all(test, other))] use crate::b::B;",
        "#[cfg(any(test, doctest))] fn a() -> crate::b::B { todo() }",
        "impl A { #[cfg(test)] fn a() -> crate::b::B { todo() } }",
    ] {
        let a = format!("pub struct A; {tests}");
        assert_fine(&RULES, &[("lib.rs", "mod a; mod b;"), ("a.rs", &a), ("b.rs", "use crate::a::A; pub struct B;")]);
    }
}

#[test]
fn what_others_know_too_is_not_left_out() {
    for condition in ["not(test)", "any(test, other)", "feature = \"test\""] {
        let a = format!("pub struct A; #[cfg({condition})] mod inner {{ use crate::b::B; }}");
        let files = [("lib.rs", "mod a; mod b;"), ("a.rs", &a), ("b.rs", "use crate::a::A; pub struct B;")];
        assert_eq!(complaints_of(&RULES, &files).len(), 1, "{condition}");
    }
}

#[test]
fn a_reexport_leads_to_the_owner() {
    let room = "mod one; mod two; pub use one::One; pub use two::*;";
    let one = ("room/one.rs", "pub struct One;");
    let lib = ("lib.rs", "mod room; pub use room::{One, Two};");
    // From the room's own file nothing is imported here, so there is no circle with it.
    assert_fine(&RULES, &[lib, ("room/mod.rs", room), one, ("room/two.rs", "use super::One; pub struct Two(One);")]);
    assert_fine(&RULES, &[lib, ("room.rs", room), one, ("room/two.rs", "use crate::One; pub struct Two(One);")]);

    let one = ("room/one.rs", "use super::Two; pub struct One(Two);");
    assert_complaint(
        &RULES,
        &[lib, ("room/mod.rs", room), one, ("room/two.rs", "use crate::One as Uno; pub struct Two(Uno);")],
        &[
            "files in a circle: room::one -> room::two -> room::one",
            "room/one.rs imports Two of room/two.rs",
            "room/two.rs imports One of room/one.rs",
        ],
    );
}

#[test]
fn a_room_that_needs_what_it_offers_imports_it() {
    let child = ("room/child.rs", "use super::Own; pub struct Child(Own);");
    let room = "mod child; pub use child::Child; pub struct Own;";
    assert_fine(&RULES, &[("lib.rs", "mod room;"), ("room/mod.rs", room), child]);
    assert_complaint(
        &RULES,
        &[("lib.rs", "mod room;"), ("room/mod.rs", &format!("{room} fn f(_: Child) {{}}")), child],
        &[
            "files in a circle: room -> room::child -> room",
            "room/mod.rs imports Child of room/child.rs",
            "room/child.rs imports Own of room/mod.rs",
        ],
    );
}

#[test]
fn an_item_that_a_macro_makes_belongs_to_its_file() {
    assert_complaint(
        &RULES,
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "make! { A } fn a() { crate::b::b() }"),
            ("b.rs", "use crate::a; pub fn b() { a::A }"),
        ],
        &["files in a circle: a -> b -> a", "a.rs imports b of b.rs", "b.rs imports A of a.rs"],
    );
}

#[test]
fn everything_of_a_module_is_what_is_named_of_it() {
    let files = |b| {
        [
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "pub use crate::c::C; use crate::b::B; pub struct A(B);"),
            ("b.rs", b),
            ("c.rs", "pub struct C;"),
        ]
    };
    assert_fine(&RULES, &files("use crate::a::*; pub struct B(C);"));
    assert_eq!(complaints_of(&RULES, &files("use crate::a::*; pub struct B(A);")).len(), 1);
}

#[test]
fn rooms_have_circles_that_no_two_files_have() {
    assert_complaint(
        &RULES,
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a/mod.rs", "mod x; pub mod y;"),
            ("a/x.rs", "use crate::b::x::X;"),
            ("a/y.rs", "pub struct Y;"),
            ("b/mod.rs", "pub mod x; mod y;"),
            ("b/x.rs", "pub struct X;"),
            ("b/y.rs", "use crate::a::y::Y;"),
        ],
        &["rooms in a circle: a -> b -> a", "a/x.rs imports X of b/x.rs", "b/y.rs imports Y of a/y.rs"],
    );
}

#[test]
fn between_rooms_errors_go_everywhere() {
    let files = |name: &'static str, a: &'static str, y: &'static str| {
        assert!(a.contains(name) && y.contains(name));
        [
            ("lib.rs", "mod a; mod b;"),
            ("a/mod.rs", "mod x; pub mod y;"),
            ("a/x.rs", "use crate::b::B;"),
            ("a/y.rs", a),
            ("b/mod.rs", "mod c; mod y; pub use c::B;"),
            ("b/c.rs", "pub struct B;"),
            ("b/y.rs", y),
        ]
    };
    let order: &[&[&str]] = &[&["a"], &["b"]];
    let rules = Rules { order, ..RULES };
    assert_fine(&rules, &files("TheError", "pub struct TheError;", "use crate::a::y::TheError;"));
    let complaints = complaints_of(&rules, &files("Thing", "pub struct Thing;", "use crate::a::y::Thing;"));
    assert_eq!(complaints.len(), 2, "{complaints:?}");
    assert_eq!(complaints[1], "up: b/y.rs imports Thing of a/y.rs");
}

#[test]
fn an_order_names_rooms_that_are_there() {
    let rules = Rules { order: &[&["a", "b"], &["c"]], ..RULES };
    assert_complaint(
        &rules,
        &[("lib.rs", "mod a; mod c;"), ("a.rs", "use crate::c::C;"), ("c.rs", "pub struct C;")],
        &["the order names a room that is not there: b"],
    );
}

#[test]
fn what_another_owns_is_not_imported_through_the_root() {
    let rules = Rules { imports_name_the_owner: true, ..RULES };
    let files = |b| {
        [
            ("lib.rs", "mod a; mod b; pub use a::A; pub use redis::Client; pub struct Own;"),
            ("a.rs", "pub struct A;"),
            ("b.rs", b),
        ]
    };
    assert_fine(&rules, &files("use crate::a::A; use crate::{Client, Own}; use super::a;"));
    for import in ["use crate::A;", "use super::A;", "fn b(_: crate::A) {}"] {
        assert_complaint(&rules, &files(import), &["imported through the crate's root: b.rs: A"]);
    }
}

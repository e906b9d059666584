//! Circles planted in small crates, and what is none.

use pnet_floors::{Crate, circles_of};

/// The crate's modules use each other in one circle, which is printed with these lines.
#[track_caller]
fn circle(files: &[(&str, &str)], expected: &str) {
    let printed = printed(files);
    let (_, circle) = printed.split_once("\n\n").unwrap_or_else(|| panic!("no circle was found"));
    assert_eq!(circle.trim_end(), unindented(expected), "{printed}");
}

#[track_caller]
fn no_circle(files: &[(&str, &str)]) {
    assert_eq!(printed(files), "");
}

#[track_caller]
fn printed(files: &[(&str, &str)]) -> String {
    circles_of(&[Crate::from_texts("town", files).expect("the crate can be read")])
}

fn unindented(text: &str) -> String {
    let lines = text.trim().lines().map(|line| line.strip_prefix("        ").unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn finds_direct() {
    circle(
        &[
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use crate::b::Bolt;\n\npub struct Axle(Bolt);"),
            ("b.rs", "pub struct Bolt;\n\nfn turn(_: crate::a::Axle) {}"),
            ("c.rs", "use crate::{a::Axle, b::Bolt};"),
        ],
        "
        town: a -> b -> a
          a -> b
            a.rs:1 uses b::Bolt
          b -> a
            b.rs:3 uses a::Axle",
    );
}

#[test]
fn finds_by_way_of_reexport() {
    circle(
        &[
            ("lib.rs", "mod a;\nmod b;\npub use self::b::Thing;"),
            ("a.rs", "use crate::Thing;\npub fn a(_: Thing) {}"),
            ("b.rs", "pub struct Thing;\nfn b() { super::a::a(Thing) }"),
        ],
        "
        town: a -> b -> a
          a -> b
            a.rs:1 uses b::Thing
          b -> a
            b.rs:2 uses a::a",
    );
}

#[test]
fn finds_by_way_of_child() {
    circle(
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a/mod.rs", "mod child;\npub struct Axle;"),
            ("a/child.rs", "use crate::b::Bolt;"),
            ("b.rs", "pub struct Bolt(crate::a::Axle);"),
        ],
        "
        town: a -> b -> a
          a -> b
            a/child.rs:1 uses b::Bolt
          b -> a
            b.rs:1 uses a::Axle",
    );
}

#[test]
fn finds_way_around_of_three_below_the_root() {
    circle(
        &[
            ("lib.rs", "mod house;"),
            ("house.rs", "mod a; mod b; mod c; mod d;"),
            ("house/a.rs", "pub use super::b::B;"),
            ("house/b.rs", "pub struct B; fn f() -> super::c::C { super::c::C }\nuse super::d;"),
            ("house/c.rs", "pub struct C; impl super::a::B {}\nuse super::d::D;"),
            ("house/d.rs", "pub struct D;"),
        ],
        "
        town, house: b -> c -> b
          b -> c
            house/b.rs:1 uses house::c::C
          c -> b
            house/c.rs:1 uses house::b::B
          in a circle with them: a",
    );
}

#[test]
fn names_the_circle_of_three() {
    circle(
        &[(
            "lib.rs",
            "mod a { pub fn a() { crate::b::b() } }\nmod b { pub fn b() { crate::c::c() } }\nmod c { pub fn c() { crate::a::a() } }",
        )],
        "
        town: a -> b -> c -> a
          a -> b
            lib.rs:1 uses b::b
          b -> c
            lib.rs:2 uses c::c
          c -> a
            lib.rs:3 uses a::a",
    );
}

#[test]
fn finds_by_way_of_glob_reexport() {
    circle(
        &[
            ("lib.rs", "mod a; mod b;\nmod all { pub use crate::b::*; }\npub use all::*;"),
            ("a.rs", "use crate::*;\nfn a(_: Thing) {}"),
            ("b.rs", "pub struct Thing;\npub use super::a;"),
        ],
        "
        town: a -> b -> a
          a -> b
            a.rs:2 uses b::Thing
          b -> a
            b.rs:2 uses a",
    );
}

#[test]
fn finds_by_way_of_renamed_reexport() {
    circle(
        &[
            ("lib.rs", "mod a; mod b;\npub use self::b::{Thing as Other, self as bolts};"),
            ("a.rs", "pub struct A(crate::Other);\nfn f() { crate::bolts::g() }"),
            ("b.rs", "use super::a::A as Axle;\npub struct Thing;"),
        ],
        "
        town: a -> b -> a
          a -> b
            a.rs:1 uses b::Thing
            a.rs:2 uses b::g
          b -> a
            b.rs:1 uses a::A",
    );
}

#[test]
fn finds_reexport_of_another_crates_name() {
    circle(
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::HashMap;\npub struct A;"),
            ("b.rs", "pub use std::collections::HashMap;\nuse crate::a::A;"),
        ],
        "
        town: a -> b -> a
          a -> b
            a.rs:1 uses b::HashMap
          b -> a
            b.rs:2 uses a::A",
    );
}

#[test]
fn finds_in_arguments_of_macros() {
    circle(
        &[
            ("lib.rs", "mod a;\nmod b;"),
            (
                "a.rs",
                "use super::b;
                 fn f(x: u8) { matches!(x, b::ONE | b::TWO); }
                 fn g() { tokio::select! { _ = b::wait() => {} } }
                 fn h() { println!(\"{}\", crate::b::text()) }
                 own! { some words => b::Words, b.other, ::b::none }",
            ),
            ("b.rs", "macro_rules! m { ($x:ident) => { $crate::a::made($x) } }"),
        ],
        "
        town: a -> b -> a
          a -> b
            a.rs:1 uses b
            a.rs:2 uses b::ONE
            a.rs:2 uses b::TWO
            and 3 more
          b -> a
            b.rs:1 uses a::made",
    );
}

#[test]
fn finds_macro_by_way_of_reexport() {
    circle(
        &[
            ("lib.rs", "mod a; mod b; pub(crate) use b::turn;"),
            ("a.rs", "fn f() { crate::turn!() }\npub fn a() {}"),
            ("b.rs", "macro_rules! turn { () => {} }\npub(crate) use turn;\nuse crate::a::a;"),
        ],
        "
        town: a -> b -> a
          a -> b
            a.rs:1 uses b::turn
          b -> a
            b.rs:3 uses a::a",
    );
}

#[test]
fn finds_exported_and_textual_macros() {
    circle(
        &[
            ("lib.rs", "#[macro_use]\nmod b;\nmod a;"),
            ("a.rs", "fn f() { turn!(); crate::exported!() }\npub fn a() {}"),
            (
                "b.rs",
                "macro_rules! turn { () => {} }\n#[macro_export] macro_rules! exported { () => {} }\nuse crate::a::a;",
            ),
        ],
        "
        town: a -> b -> a
          a -> b
            a.rs:1 uses b::exported
            a.rs:1 uses b::turn
          b -> a
            b.rs:3 uses a::a",
    );
}

#[test]
fn finds_between_inline_modules_and_files_elsewhere() {
    circle(
        &[
            (
                "lib.rs",
                "mod a { pub mod inner; }\n#[cfg(unix)] mod b;\n#[cfg(not(unix))] #[path = \"windows.rs\"] mod b;",
            ),
            ("a/inner.rs", "pub enum Kind { One }\npub use crate::b::B;"),
            ("b.rs", "pub struct B;"),
            ("windows.rs", "pub struct B;\nuse crate::a::inner::Kind::One;"),
        ],
        "
        town: a -> b -> a
          a -> b
            a/inner.rs:2 uses b::B
          b -> a
            windows.rs:2 uses a::inner::Kind",
    );
}

#[test]
fn finds_in_every_place_of_a_path() {
    for code in [
        "fn f(_: crate::b::B) {}",
        "fn f() { <u8 as crate::b::B>::go() }",
        "fn f() { <crate::b::B>::go() }",
        "impl crate::b::B for u8 {}",
        "impl<T: crate::b::B> A<T> {}",
        "struct S { field: Vec<crate::b::B> }",
        "enum E { One(Option<crate::b::B>) }",
        "type T = dyn crate::b::B;",
        "const C: u8 = crate::b::B as u8;",
        "fn f(x: u8) { match x { crate::b::B::ONE => {}, _ => {} } }",
        "fn f(x: u8) { if let crate::b::B(_) = x {} }",
        "fn f(x: u8) { let crate::b::B { .. } = x; }",
        "fn f() { crate::b::B { field: 1 }; }",
        "fn f() { let f = crate::b::B; }",
        "fn f() { x.collect::<crate::b::B>() }",
        "fn f() { use crate::b as other; fn g() { other::B } }",
        "fn f() { use crate::b; { use b::*; B } }",
        "mod child { fn f() { super::super::b::B } }",
        "mod child { use super::*; fn f(x: B) {} } use crate::b::*;",
        "static S: crate::b::B = f!(a; b c);",
        "fn f() -> impl crate::b::B {}",
        "fn f() where u8: crate::b::B {}",
        "thread_local! { static X: crate::b::B = const { 1 } }",
        "fn f() { vec![crate::b::B; 4] }",
        "fn f() { json!({ \"key\": [crate::b::B] }) }",
        "fn f() { town::b::B }",
        "fn f() { ::town::b::B }",
    ] {
        let a = format!("pub struct A;\n{code}");
        let files = [
            ("lib.rs", "extern crate self as town; mod a; mod b;"),
            ("a.rs", &*a),
            ("b.rs", "pub struct B(crate::a::A);"),
        ];
        assert!(printed(&files).contains("town: a -> b -> a"), "{code}");
    }
}

#[test]
fn parent_and_child_are_no_siblings() {
    no_circle(&[
        ("lib.rs", "mod a;\npub struct Root(a::A);"),
        ("a.rs", "mod child;\npub struct A(crate::Root, child::Child);"),
        ("a/child.rs", "pub struct Child(super::A, crate::Root, crate::a::A);"),
    ]);
}

#[test]
fn chain_is_no_circle() {
    no_circle(&[
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "use crate::{b::B, c::C};"),
        ("b.rs", "pub struct B(crate::c::C);"),
        ("c.rs", "pub struct C;"),
    ]);
}

#[test]
fn tests_may_look_anywhere() {
    no_circle(&[
        ("lib.rs", "mod a; mod b; #[cfg(test)] mod missing;"),
        ("a.rs", "pub struct A(crate::b::B);"),
        (
            "b.rs",
            "pub struct B { #[cfg(test)] field: crate::a::A }
             #[cfg(test)] use crate::a::A;
             #[cfg(all(test, feature = \"x\"))] mod tests { use crate::a::A; }
             #[test] fn t() { crate::a::A }
             impl B { #[cfg(test)] fn f() -> crate::a::A {} }
             fn f() { #[cfg(test)] let x = crate::a::A; #[cfg(test)] { crate::a::A } #[cfg(test)] crate::a::f(); }",
        ),
    ]);
}

#[test]
fn text_and_attributes_are_no_code() {
    no_circle(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "pub struct A(crate::b::B);"),
        (
            "b.rs",
            "//! See [`crate::a::A`].
             /// Like crate::a::A
             #[doc = \"crate::a::A\"]
             #[serde(with = \"crate::a\", other = crate::a::A)]
             pub struct B;
             // crate::a::A
             pub(in crate::a) fn f() { let x = \"crate::a::A\"; println!(\"crate::a::A\") }
             fn g() { quote! { crate::a::A }; syn::parse_quote!(crate::a::A) }",
        ),
    ]);
}

#[test]
fn names_of_others_are_no_uses() {
    no_circle(&[
        ("lib.rs", "pub mod bytes; mod a; mod b;"),
        // Another crate of the module's name, and a name of the module's own.
        ("bytes.rs", "pub struct Bytes(crate::a::A);"),
        ("a.rs", "use bytes::Bytes; use ::bytes::Buf;\npub struct A(B);\nstruct B;"),
        ("b.rs", "pub struct B(crate::a::A); fn f<A: Into<u8>>(x: u8) -> A { x.a() }"),
    ]);
}

#[test]
fn values_and_types_are_told_apart() {
    no_circle(&[
        ("lib.rs", "mod serve;\nmod other;\npub use self::other::serve;\npub use serve::Server;"),
        ("serve.rs", "pub struct Server;\nimpl Server { fn f() { crate::serve::g() } }\nfn g() {}"),
        ("other.rs", "pub fn serve() -> crate::serve::Server { crate::Server }"),
    ]);
}

#[test]
fn variables_are_no_uses() {
    no_circle(&[
        ("lib.rs", "mod a;\nmod b;\nuse b::*;"),
        ("a.rs", "use super::*;\npub struct A;\nfn f(limit: u8) -> u8 { limit }"),
        ("b.rs", "pub fn limit() -> crate::a::A { crate::a::A }"),
    ]);
}

#[test]
fn names_the_file_that_is_no_rust() {
    let error = Crate::from_texts("town", &[("lib.rs", "mod a;"), ("a.rs", "fn f() {\n  let = 1;\n}")]).unwrap_err();
    assert!(error.starts_with("town: a.rs:2:7: "), "{error}");
    let error = Crate::from_texts("town", &[("lib.rs", "mod a;")]).unwrap_err();
    assert_eq!(error, "town: a.rs: no such file");
}

//! A setting of the manager is a setting of the layer's builder too, and each setting is in the guides.

use std::fs;
use std::path::Path;

use syn::{ImplItem, Item, Visibility};

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The public methods of a type's own `impl` blocks.
fn public_methods(source: &str, of: &str) -> Vec<String> {
    let items = syn::parse_file(source).expect("the source compiles").items.into_iter();
    let impls = items.filter_map(|item| match item {
        Item::Impl(block) if block.trait_.is_none() => Some(block),
        _ => None,
    });
    let of_type = impls.filter(|block| matches!(&*block.self_ty, syn::Type::Path(path) if path.path.is_ident(of)));
    let methods = of_type.flat_map(|block| block.items).filter_map(|item| match item {
        ImplItem::Fn(method) if matches!(method.vis, Visibility::Public(_)) => Some(method.sig.ident.to_string()),
        _ => None,
    });
    methods.collect()
}

#[test]
fn each_setting_of_the_manager_is_one_of_the_layer() {
    let passed_on = read("session-axum/src/manager_settings.rs");
    let mut settings = public_methods(&read("session-core/src/manager/builder.rs"), "SessionManagerBuilder");
    settings.retain(|method| method != "build");
    assert!(settings.contains(&"idle_timeout".to_owned()), "no settings were found: {settings:?}");
    for setting in settings {
        assert!(
            passed_on.contains(&format!("\n    {setting}(")),
            "session-axum/src/manager_settings.rs lacks {setting}"
        );
    }
}

#[test]
fn each_setting_is_in_a_guide() {
    let guides = ["settings", "transports"].map(|guide| read(&format!("docs/guides/{guide}.md"))).concat();
    for (file, builder) in [
        ("session-core/src/manager/builder.rs", "SessionManagerBuilder"),
        ("session-axum/src/layer.rs", "SessionLayerBuilder"),
        ("session-axum/src/answer_settings.rs", "SessionLayerBuilder"),
        ("session-axum/src/transport/cookie.rs", "SessionCookie"),
    ] {
        let settings = public_methods(&read(file), builder);
        for setting in settings.iter().filter(|setting| !["build", "new"].contains(&setting.as_str())) {
            assert!(guides.contains(&format!("`{setting}`")), "no guide has the setting `{setting}` of {builder}");
        }
    }
}

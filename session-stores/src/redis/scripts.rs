use std::sync::LazyLock;

/// A script, and the hash by which servers remember it.
pub(crate) struct Script {
    pub(crate) source: String,
    pub(crate) hash: String,
}

impl Script {
    fn new(body: &str) -> Self {
        let source = format!("{}\n{body}", include_str!("lua/prelude.lua"));
        let hash = redis::Script::new(&source).get_hash().to_owned();
        Script { source, hash }
    }
}

macro_rules! scripts {
    ($($name:ident = $file:literal;)*) => {
        $(pub(crate) static $name: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!(concat!("lua/", $file))));)*
    };
}

scripts! {
    CREATE = "create.lua";
    SAVE = "save.lua";
    TOUCH = "touch.lua";
    RENEW = "renew.lua";
    REMOVE = "remove.lua";
    STAGE = "stage.lua";
    COMMIT = "commit.lua";
    PROMOTE = "promote.lua";
    SETTLE = "settle.lua";
    ABANDON = "abandon.lua";
    FOLLOW = "follow.lua";
    END = "end.lua";
    END_ALL = "end_all.lua";
    INDEX_ADD = "index_add.lua";
    FILL = "fill.lua";
    BURY = "bury.lua";
}

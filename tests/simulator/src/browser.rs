//! Browsers: what they send, and what they keep.

/// One browser with its cookie jar, which all its tabs share.
pub struct Browser {
    /// Who sits before it.
    pub user: usize,
    /// The id in our cookie.
    pub cookie: Option<String>,
    /// What somebody on a sibling domain planted: it is sent first.
    pub planted: Option<String>,
}

/// What a response tells the browser.
#[derive(Clone, Debug)]
pub enum Told {
    Nothing,
    Keep(String),
    Forget,
}

impl Browser {
    pub fn new(user: usize) -> Self {
        Browser { user, cookie: None, planted: None }
    }

    /// The ids that a request presents.
    pub fn ids(&self) -> Vec<String> {
        self.planted.iter().chain(&self.cookie).cloned().collect()
    }

    pub fn take(&mut self, told: Told) {
        match told {
            Told::Nothing => {}
            Told::Keep(id) => self.cookie = Some(id),
            Told::Forget => self.cookie = None,
        }
    }
}

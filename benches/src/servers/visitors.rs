use std::iter::repeat_n;

use benches::apps::{App, BATCH, OTHER_COOKIES, Work};
use benches::stats::Sample;

/// An application, and visitors who are logged in and take turns.
pub struct Visitors {
    app: Box<dyn App>,
    cookies: Vec<String>,
    next: usize,
}

impl Visitors {
    pub fn log_in(mut app: Box<dyn App>, visitors: usize) -> Self {
        let cookies = (0..visitors).map(|_| app.log_in()).collect();
        Visitors { app, cookies, next: 0 }
    }

    /// Opens the connections and prepares the statements that this work needs.
    pub fn warm_up(&mut self, work: Work) {
        let cookies = self.cookies(work, BATCH);
        self.answer(work, &cookies);
    }

    /// The `Cookie` headers of so many requests, from visitors for whom there is something to do.
    pub fn cookies(&mut self, work: Work, requests: usize) -> Vec<String> {
        match work {
            Work::Login => repeat_n(OTHER_COOKIES.to_owned(), requests).collect(),
            Work::Logout => (0..requests).map(|_| self.app.log_in()).collect(),
            Work::Set => {
                // What is set already is no change.
                let cookies = self.next_cookies(requests);
                self.answer(Work::Count, &cookies);
                cookies
            }
            _ => self.next_cookies(requests),
        }
    }

    pub fn answer(&mut self, work: Work, cookies: &[String]) -> Sample {
        self.app.answer(work, cookies)
    }

    fn next_cookies(&mut self, requests: usize) -> Vec<String> {
        let turns = self.next..self.next + requests;
        self.next = turns.end % self.cookies.len();
        turns.map(|turn| self.cookies[turn % self.cookies.len()].clone()).collect()
    }
}

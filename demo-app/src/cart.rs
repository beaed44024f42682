use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use session_axum::AttrKey;

/// The visitor's cart, in the session.
pub const CART: AttrKey<Cart> = AttrKey::new("Cart");

/// What the shop has.
pub const ARTICLES: [Article; 4] = [
    Article { name: "pencil", title: "Pencil", about: "Soft and dark, for small numbers", price: Price(120) },
    Article { name: "notebook", title: "Notebook", about: "96 dotted pages, room for 20,000 marks", price: Price(650) },
    Article { name: "chalk", title: "Box of chalk", about: "Twelve white sticks, for walls", price: Price(340) },
    Article { name: "eraser", title: "Eraser", about: "For whoever counted twice", price: Price(90) },
];

/// Something to buy.
pub struct Article {
    /// Its name in forms and in carts.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it is.
    pub about: &'static str,
    /// The price of one.
    pub price: Price,
}

impl Article {
    /// The article of this name. `None` if the shop has none.
    pub fn named(name: &str) -> Option<&'static Article> {
        ARTICLES.iter().find(|article| article.name == name)
    }
}

/// A price in cents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price(u32);

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "€{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// How many a visitor wants of each article.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cart(BTreeMap<String, u32>);

/// A cart has as many of an article as it may have.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

/// A line of a cart.
pub struct Line {
    /// What is wanted.
    pub article: &'static Article,
    /// How many.
    pub pieces: u32,
}

impl Cart {
    /// The most that a cart has of one article.
    pub const MOST: u32 = 9;

    /// The cart with one more of an article.
    pub fn with(mut self, article: &Article) -> Result<Cart, Full> {
        let pieces = self.0.entry(article.name.to_owned()).or_default();
        if *pieces >= Cart::MOST {
            return Err(Full);
        }
        *pieces += 1;
        Ok(self)
    }

    /// The cart without an article.
    pub fn without(mut self, article: &Article) -> Cart {
        self.0.remove(article.name);
        self
    }

    /// Its lines. What the shop no longer has is left out.
    pub fn lines(&self) -> Vec<Line> {
        let line = |(name, pieces): (&String, &u32)| Some(Line { article: Article::named(name)?, pieces: *pieces });
        self.0.iter().filter_map(line).collect()
    }

    /// How many things are in it.
    pub fn pieces(&self) -> u32 {
        self.lines().iter().map(|line| line.pieces).sum()
    }

    /// What all of it costs.
    pub fn total(&self) -> Price {
        Price(self.lines().iter().map(|line| line.price().0).sum())
    }
}

impl Line {
    /// What all pieces of the line cost.
    pub fn price(&self) -> Price {
        Price(self.article.price.0.saturating_mul(self.pieces))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cart_counts_and_adds_up() {
        let [pencil, notebook, ..] = &ARTICLES;
        let cart = Cart::default().with(pencil).unwrap().with(pencil).unwrap().with(notebook).unwrap();
        assert_eq!((cart.pieces(), cart.total().to_string()), (3, "€8.90".to_owned()));
        let cart = cart.without(pencil);
        assert_eq!((cart.pieces(), cart.total().to_string()), (1, "€6.50".to_owned()));
    }

    #[test]
    fn a_cart_has_an_end() {
        let pencil = &ARTICLES[0];
        let full = (0..Cart::MOST).fold(Cart::default(), |cart, _| cart.with(pencil).unwrap());
        assert_eq!(full.with(pencil), Err(Full));
    }

    #[test]
    fn what_the_shop_no_longer_has_is_left_out() {
        let cart: Cart = serde_json::from_str(r#"{"quill":3,"eraser":1}"#).unwrap();
        assert_eq!((cart.pieces(), cart.total().to_string()), (1, "€0.90".to_owned()));
    }
}

//! A transport of an application's own, which answers clients in several ways.

use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use session_axum::SessionLayer;
use session_axum::transport::{IssuedId, Outgoing, PresentedIds, Transport};

use super::*;

/// Takes ids in the header that belongs to the path's first letter.
struct ByPath;

const HEADERS: [HeaderName; 2] = [HeaderName::from_static("x-first"), HeaderName::from_static("x-second")];

fn way_of(request: &Parts) -> u16 {
    u16::from(request.uri.path().starts_with("/second") || request.headers.contains_key("x-second"))
}

impl Transport for ByPath {
    fn name(&self) -> &str {
        "by-path"
    }

    fn request_headers(&self) -> Vec<HeaderName> {
        HEADERS.to_vec()
    }

    fn read(&self, request: &Parts, presented: &mut PresentedIds) {
        let way = way_of(request);
        presented.set_way(way);
        if let Some(id) = request.headers.get(&HEADERS[usize::from(way)]) {
            presented.push(id);
        }
    }

    fn issue(&self, issued: &IssuedId, outgoing: &mut Outgoing<'_>) {
        let id = HeaderValue::from_str(issued.id.as_str()).expect("an id is a header value");
        let header = &HEADERS[usize::from(outgoing.way())];
        outgoing.headers().insert(header, id);
    }

    fn forget(&self, outgoing: &mut Outgoing<'_>) {
        let header = &HEADERS[usize::from(outgoing.way())];
        outgoing.headers().insert(header, HeaderValue::from_static(""));
    }
}

/// T1.
#[tokio::test]
async fn a_transport_sees_the_request_and_answers_in_the_way_that_it_has_noted() {
    let routes = routes().route("/second/login", post(login));
    let app = routes.layer(SessionLayer::builder(MemoryStore::new()).transport(ByPath).build().unwrap());
    for (login, header, other) in [("/login", "x-first", "x-second"), ("/second/login", "x-second", "x-first")] {
        let answer = Client::new(&app).post(login).await;
        assert_eq!((answer.all(header).len(), answer.all(other).len()), (1, 0));
        assert_eq!(answer.all("vary"), ["x-first, x-second"]);
        let id = answer.all(header)[0].to_owned();
        let mut client = With::headers(&app, &[(header, &id)]);
        assert_eq!(client.get("/user").await.body, "ann");
        assert_eq!(client.post("/logout").await.all(header), [""]);
        assert_eq!(client.get("/user").await.body, "nobody");
    }
}

use crate::apps;

/// Serves one application on one thread.
pub fn run(name: &str, port: u16) {
    if name.starts_with("actix") {
        actix_web::rt::System::new().block_on(apps::serve_actix(name, port));
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let router = apps::router(name).await.expect("a known name");
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
        axum::serve(listener, router).await.expect("the server runs");
    });
}

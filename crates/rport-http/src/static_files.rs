//! Serves `doc_root`: the files of a UI, for every path that is no API.

use std::convert::Infallible;
use std::path::Path;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{Method, Uri};
use tower::ServiceExt;
use tower_http::services::ServeDir;

use crate::compat::{self, API_BASE, UI_PREFIXES};

/// Files below one directory. Dot segments never leave it; symbolic links in it are followed.
#[derive(Clone)]
pub(crate) struct StaticFiles {
    files: ServeDir,
}

impl StaticFiles {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            files: ServeDir::new(root),
        }
    }

    /// Answers with a file, with the UI's first page below the UI's own paths, or with 404.
    pub(crate) async fn serve(self, request: Request) -> Response {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let path = request.uri().path().to_owned();
        if !is_read || path.starts_with(API_BASE) {
            return compat::not_found();
        }
        let mut again = Request::new(Body::empty());
        *again.method_mut() = request.method().clone();
        let response = self.read(request).await;
        if response.status() != http::StatusCode::NOT_FOUND {
            return response;
        }
        if UI_PREFIXES.iter().any(|prefix| path.starts_with(prefix)) {
            *again.uri_mut() = Uri::from_static("/");
            let first_page = self.read(again).await;
            if first_page.status() != http::StatusCode::NOT_FOUND {
                return first_page;
            }
        }
        compat::not_found()
    }

    async fn read(&self, request: Request) -> Response {
        let served: Result<_, Infallible> = self.files.clone().oneshot(request).await;
        match served {
            Ok(response) => response.into_response(),
            Err(never) => match never {},
        }
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use http_body_util::BodyExt;

    use super::*;

    struct Site {
        dir: tempfile::TempDir,
    }

    impl Site {
        fn new() -> Self {
            let dir = tempfile::tempdir().expect("temporary directory");
            let root = dir.path().join("root");
            std::fs::create_dir_all(root.join("assets")).expect("directory");
            std::fs::write(dir.path().join("secret.txt"), "secret").expect("file");
            std::fs::write(root.join("index.html"), "first page").expect("file");
            std::fs::write(root.join("assets/app.js"), "script").expect("file");
            #[cfg(unix)]
            std::os::unix::fs::symlink(dir.path().join("secret.txt"), root.join("linked.txt")).expect("link");
            Self { dir }
        }

        async fn check(&self, method: &str, path: &str, status: StatusCode, body: &str) {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .body(Body::empty())
                .expect("request");
            let response = StaticFiles::new(&self.dir.path().join("root"))
                .serve(request)
                .await;
            assert_eq!(response.status(), status, "{method} {path}");
            let read = response.into_body().collect().await.expect("body").to_bytes();
            assert_eq!(read, body, "{method} {path}");
        }
    }

    const NOT_FOUND: &str = "404 page not found\n";

    #[tokio::test]
    async fn files_and_the_ui_s_own_paths_are_served() {
        let site = Site::new();
        site.check("GET", "/", StatusCode::OK, "first page").await;
        site.check("GET", "/assets/app.js", StatusCode::OK, "script")
            .await;
        site.check("HEAD", "/assets/app.js", StatusCode::OK, "").await;
        site.check("GET", "/dashboard", StatusCode::OK, "first page")
            .await;
        site.check("GET", "/inventory/client/1", StatusCode::OK, "first page")
            .await;
        #[cfg(unix)]
        site.check("GET", "/linked.txt", StatusCode::OK, "secret").await;
    }

    #[tokio::test]
    async fn everything_else_is_not_found() {
        let site = Site::new();
        site.check("GET", "/unknown", StatusCode::NOT_FOUND, NOT_FOUND)
            .await;
        site.check("GET", "/api/v1/unknown", StatusCode::NOT_FOUND, NOT_FOUND)
            .await;
        site.check("POST", "/dashboard", StatusCode::NOT_FOUND, NOT_FOUND)
            .await;
        site.check("GET", "/..%2Fsecret.txt", StatusCode::NOT_FOUND, NOT_FOUND)
            .await;
        site.check("GET", "/%2e%2e/secret.txt", StatusCode::NOT_FOUND, NOT_FOUND)
            .await;
        site.check(
            "GET",
            "/assets/%2e%2e/%2e%2e/secret.txt",
            StatusCode::NOT_FOUND,
            NOT_FOUND,
        )
        .await;
        site.check("GET", "/%00", StatusCode::NOT_FOUND, NOT_FOUND).await;
    }
}

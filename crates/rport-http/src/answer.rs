//! How successful answers look: `{"data": …}`, lists with `"meta": {"count": N}`.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

/// Content type of every JSON answer, spelled like the original's.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=UTF-8");

/// One value in the envelope.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Data<T> {
    /// What was asked for.
    pub(crate) data: T,
}

/// A page of a list in the envelope.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Listed<T> {
    /// The items of this page.
    pub(crate) data: Vec<T>,
    /// About the whole list.
    pub(crate) meta: Meta,
}

/// About a whole list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Meta {
    /// Number of items that match the filter, on all pages.
    pub(crate) count: usize,
}

impl<T> Listed<T> {
    /// Wraps a page of `count` items altogether.
    pub(crate) fn new(data: Vec<T>, count: usize) -> Self {
        Self {
            data,
            meta: Meta { count },
        }
    }
}

impl<T: Serialize> IntoResponse for Data<T> {
    fn into_response(self) -> Response {
        json(StatusCode::OK, &self)
    }
}

impl<T: Serialize> IntoResponse for Listed<T> {
    fn into_response(self) -> Response {
        json(StatusCode::OK, &self)
    }
}

/// A JSON answer on one line, without a newline at its end.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let mut body = Vec::with_capacity(256);
    let mut serializer = serde_json::Serializer::with_formatter(&mut body, HtmlSafe);
    match value.serialize(&mut serializer) {
        Ok(()) => (status, [(header::CONTENT_TYPE, JSON)], body).into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer cannot be written as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A value as JSON on one line; empty if it cannot be written, which plain values never cause.
pub(crate) fn to_line(value: &impl Serialize) -> Vec<u8> {
    let mut line = Vec::with_capacity(256);
    let mut serializer = serde_json::Serializer::with_formatter(&mut line, HtmlSafe);
    if let Err(error) = value.serialize(&mut serializer) {
        tracing::error!(%error, "a line cannot be written as JSON");
        line.clear();
    }
    line
}

/// Escapes what a browser could take for markup, as Go's encoder does.
struct HtmlSafe;

impl serde_json::ser::Formatter for HtmlSafe {
    fn write_string_fragment<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> std::io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            let (plain, special) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let mut characters = special.chars();
            if let Some(character) = characters.next() {
                write!(writer, "\\u{:04x}", u32::from(character))?;
            }
            rest = characters.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn answers_look_like_the_original() {
        let response = Listed::new(vec!["<a> & \u{2028}b\n"], 7).into_response();
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/json; charset=UTF-8"
        );
        let body = response
            .into_body()
            .collect()
            .await
            .expect("in memory")
            .to_bytes();
        let expected = r#"{"data":["\u003ca\u003e \u0026 \u2028b\n"],"meta":{"count":7}}"#;
        assert_eq!(body, expected);
    }
}

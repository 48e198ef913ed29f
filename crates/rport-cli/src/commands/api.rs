//! `api`: a call as it is.

use std::io::Read;

use reqwest::Method;

use super::pair;
use crate::{
    cli::Session,
    client::Query,
    failure::{Failure, Result},
};

/// Arguments of `api`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: rportcli api PUT /clients/web/attributes --data '{\"tags\":[\"a\"],\"labels\":{}}'"
)]
pub(crate) struct Raw {
    /// HTTP method
    #[arg(value_parser = method)]
    method: Method,
    /// Path below /api/v1, with its query
    path: String,
    /// A parameter of the query, escaped for you
    #[arg(short = 'q', long = "query", value_name = "NAME=VALUE", value_parser = pair)]
    query: Vec<(String, String)>,
    /// JSON to send; @FILE sends a file, @- standard input
    #[arg(short, long, value_name = "JSON")]
    data: Option<String>,
}

fn method(text: &str) -> std::result::Result<Method, String> {
    let method = Method::from_bytes(text.to_ascii_uppercase().as_bytes());
    method.map_err(|_| format!("'{text}' is no HTTP method"))
}

impl Raw {
    /// Makes the call and prints the body as it comes, whatever it is. The exit code tells the status.
    ///
    /// # Errors
    /// When there is no answer, or one that is no success.
    pub(crate) async fn run(self, session: &Session) -> Result<u8> {
        let api = session.api()?;
        let path = self.path.trim_start_matches("/api/v1");
        let path = format!("/{}", path.trim_start_matches('/'));
        let body = self.data.as_deref().map(body).transpose()?;
        let mut query = Query::new();
        for (name, value) in self.query {
            query.add(name, value);
        }
        let place = format!("{} {}", self.method, api.address(&path));
        let response = api.respond(self.method, &path, &query, body).await?;
        let mut response = api.checked(response, &place).await?;
        let mut last = b'\n';
        while let Some(chunk) = api.next_chunk(&mut response).await? {
            session.out.bytes(&chunk)?;
            last = chunk.last().copied().unwrap_or(last);
        }
        if last != b'\n' {
            session.out.line("")?;
        }
        Ok(0)
    }
}

fn body(data: &str) -> Result<Vec<u8>> {
    let wrong = |name: &str, error: std::io::Error| Failure::usage(format!("cannot read {name}: {error}"));
    let Some(name) = data.strip_prefix('@') else {
        return Ok(data.as_bytes().to_vec());
    };
    if name != "-" {
        return std::fs::read(name).map_err(|error| wrong(name, error));
    }
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .read_to_end(&mut bytes)
        .map_err(|error| wrong("standard input", error))?;
    Ok(bytes)
}

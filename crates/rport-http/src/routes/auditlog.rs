//! Who did what.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime};
use futures_util::StreamExt;
use http::{HeaderName, HeaderValue, header};
use rport_api_types::audit::AuditItem;
use rport_domain::{AUDIT_LIST, AuditEntry, Error};
use rport_server::{AuditEntries, AuditExportRequest};
use utoipa::IntoParams;

use crate::answer::{self, Listed};
use crate::ctx::Ctx;
use crate::error::{ApiResult, Failure};
use crate::list_query::{ListParams, QueryPairs};

/// List the audit log.
///
/// The entries of the file in use, oldest first unless sorted; pages have 10 entries unless asked otherwise, 100 at
/// most. Who is no administrator gets the own entries, and may not filter by user name.
#[utoipa::path(
    get, path = "/auditlog", tag = "auditlog", operation_id = "list_audit_entries", params(ListParams),
    responses(
        (status = 200, body = Listed<AuditItem>),
        (status = 400, body = Failure, description = "The query is wrong; every mistake is named."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `auditlog`, or a filter that is for administrators."),
        (status = 404, body = Failure, description = "The audit log is switched off."),
    )
)]
pub(crate) async fn list(ctx: Ctx, query: QueryPairs) -> ApiResult<Listed<AuditItem>> {
    let query = query.list(&AUDIT_LIST)?;
    let page = ctx.server().audit_logs().list(&ctx.actor, &query).await?;
    let page = page.map(AuditItem::from);
    Ok(Listed::new(page.items, page.total))
}

/// What an export holds and how it looks.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters that QueryPairs reads")]
pub(crate) struct ExportParams {
    /// `csv`, or `jsonl`: one JSON object a line.
    #[param(example = "csv")]
    format: Option<String>,
    /// Not before this moment: `YYYY-MM-DD` or RFC 3339. With `from` or `to`, older files are read too.
    from: Option<String>,
    /// Not after this moment; a date counts to its end.
    to: Option<String>,
}

/// Export the audit log.
///
/// Everything that matches the filters, as a download. In CSV a cell that a spreadsheet would take for a formula has
/// an apostrophe in front.
#[utoipa::path(
    get, path = "/auditlog/export", tag = "auditlog", operation_id = "export_audit_entries",
    params(ExportParams, ListParams),
    responses(
        (status = 200, body = String, content_type = "text/csv"),
        (status = 400, body = Failure, description = "The query is wrong; every mistake is named."),
        (status = 401, body = Failure),
        (status = 403, body = Failure, description = "No permission `auditlog`, or a filter that is for administrators."),
        (status = 404, body = Failure, description = "The audit log is switched off."),
    )
)]
pub(crate) async fn export(ctx: Ctx, query: QueryPairs) -> ApiResult<Response> {
    let format = Format::read(query.first("format"))?;
    let request = AuditExportRequest {
        from: moment(query.first("from"), "from", NaiveTime::MIN)?,
        to: moment(query.first("to"), "to", END_OF_DAY)?,
        query: query.list(&AUDIT_LIST)?,
    };
    let entries = ctx.server().audit_logs().export(&ctx.actor, request)?;
    Ok(format.answer(entries))
}

/// The last moment of a day.
const END_OF_DAY: NaiveTime = match NaiveTime::from_hms_nano_opt(23, 59, 59, 999_999_999) {
    Some(time) => time,
    None => NaiveTime::MIN,
};

/// Reads a day or a moment. A day is one of the server's zone.
fn moment(text: &str, name: &str, time: NaiveTime) -> Result<Option<DateTime<FixedOffset>>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Ok(Some(moment));
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    let moment = day.and_then(|day| day.and_time(time).and_local_timezone(chrono::Local).earliest());
    match moment {
        Some(moment) => Ok(Some(moment.fixed_offset())),
        None => Err(Error::invalid(format!("invalid {name}: {text:?}"))
            .detail("expected YYYY-MM-DD or a time such as 2024-05-01T12:00:00Z")),
    }
}

#[derive(Clone, Copy)]
enum Format {
    Csv,
    JsonLines,
}

impl Format {
    fn read(text: &str) -> Result<Self, Error> {
        match text {
            "" | "csv" => Ok(Self::Csv),
            "jsonl" => Ok(Self::JsonLines),
            other => {
                Err(Error::invalid(format!("invalid format: {other:?}")).detail("expected csv or jsonl"))
            }
        }
    }

    fn answer(self, entries: AuditEntries) -> Response {
        let (kind, name) = match self {
            Self::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"auditlog.csv\""),
            Self::JsonLines => (
                "application/x-ndjson; charset=utf-8",
                "attachment; filename=\"auditlog.jsonl\"",
            ),
        };
        let head = match self {
            Self::Csv => {
                let mut head = AuditItem::MEMBERS.join(",");
                head.push_str("\r\n");
                Some(Bytes::from(head))
            }
            Self::JsonLines => None,
        };
        let headers: [(HeaderName, HeaderValue); 2] = [
            (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
            (header::CONTENT_DISPOSITION, HeaderValue::from_static(name)),
        ];
        let chunks =
            futures_util::stream::unfold((entries, head), move |(mut entries, mut head)| async move {
                if let Some(head) = head.take() {
                    return Some((Ok(head), (entries, None)));
                }
                let chunk = entries.next().await?;
                // A failure in the middle cuts the body off, so that nobody takes a part for the whole.
                let chunk = chunk.map(|entries| self.write(entries)).inspect_err(|error| {
                    tracing::error!(%error, "the export of the audit log broke off");
                });
                Some((chunk, (entries, None)))
            });
        // Whoever compresses the body asks once more after its end.
        (headers, Body::from_stream(chunks.fuse())).into_response()
    }

    fn write(self, entries: Vec<AuditEntry>) -> Bytes {
        let mut text = Vec::new();
        for entry in entries {
            let item = AuditItem::from(entry);
            match self {
                Self::Csv => {
                    for (position, cell) in item.texts().iter().enumerate() {
                        if position > 0 {
                            text.push(b',');
                        }
                        write_cell(&mut text, cell);
                    }
                    text.extend_from_slice(b"\r\n");
                }
                Self::JsonLines => {
                    text.extend_from_slice(&answer::to_line(&item));
                    text.push(b'\n');
                }
            }
        }
        Bytes::from(text)
    }
}

/// Writes a cell as RFC 4180 has it. An apostrophe keeps spreadsheets from running what somebody typed as a user name.
fn write_cell(text: &mut Vec<u8>, cell: &str) {
    text.push(b'"');
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        text.push(b'\'');
    }
    for byte in cell.bytes() {
        if byte == b'"' {
            text.push(b'"');
        }
        text.push(byte);
    }
    text.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(username: &str) -> AuditEntry {
        AuditEntry {
            timestamp: DateTime::parse_from_rfc3339("2024-05-01T12:00:00+02:00").expect("a time"),
            application: "auth.login".into(),
            action: "failed".into(),
            username: username.into(),
            remote_ip: "::1".into(),
            affected_id: String::new(),
            client_id: String::new(),
            client_hostname: String::new(),
            request: r#"{"a":"b, \"c\""}"#.into(),
            response: String::new(),
        }
    }

    fn read_csv(text: &[u8]) -> Vec<String> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text);
        let record = reader.records().next().expect("a line").expect("sound");
        record.iter().map(str::to_owned).collect()
    }

    #[test]
    fn formulas_are_disarmed() {
        for hostile in ["=cmd|'/c calc'!A1", "+1", "-1", "@SUM(A1)", "\t=1"] {
            let cells = read_csv(&Format::Csv.write(vec![entry(hostile)]));
            assert_eq!(cells[1], format!("'{hostile}"));
        }
    }

    proptest! {
        #[test]
        fn any_name_reads_back(name in "\\PC{0,20}|[\"',\r\n=]{0,10}") {
            let cells = read_csv(&Format::Csv.write(vec![entry(&name)]));
            prop_assert_eq!(cells.len(), AuditItem::MEMBERS.len());
            let disarmed = format!("'{name}");
            prop_assert!(cells[1] == name || cells[1] == disarmed);
            let line = Format::JsonLines.write(vec![entry(&name)]);
            let item: serde_json::Value = serde_json::from_slice(&line).expect("JSON");
            prop_assert_eq!(item["username"].as_str(), Some(name.as_str()));
            prop_assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        }
    }
}

//! Request `upload`.

use serde::{Deserialize, Serialize};

use crate::request::Request;

/// Asks the client to fetch a file from the server by SFTP and to put it in place.
///
/// Wire: global request `upload`, server to client, reply wanted, from 0.6.2 on. A Go agent serves nothing else until
/// the transfer ends. Golden: `messages.json`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Upload {
    /// Upload id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Path on the server, `<data_dir>/filepush/<ID>_rport_filepush`.
    pub source_file_path: String,
    /// Path on the client.
    pub destination_path: String,
    /// Permission bits; 0 when none were given.
    pub destination_file_mode: u32,
    /// Owner of the file; may be empty.
    pub destination_file_owner: String,
    /// Group of the file; may be empty.
    pub destination_file_group: String,
    /// Write even if the destination exists.
    pub force_write: bool,
    /// Write if the destination differs.
    pub sync: bool,
    /// MD5 of the source, 16 bytes in standard base64.
    pub md5_checksum: String,
}

/// What became of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UploadReply {
    /// Upload id.
    pub uuid: String,
    /// Path on the client.
    pub filepath: String,
    /// Bytes written; 0 when ignored.
    pub size: i64,
    /// Notes for people.
    pub message: String,
    /// Written or left alone.
    pub status: UploadStatus,
}

/// The outcome of an upload that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UploadStatus {
    /// The file is in place.
    #[default]
    Success,
    /// It was there already and should not be overwritten.
    Ignored,
}

impl Request for Upload {
    const NAME: &'static str = "upload";
    type Reply = UploadReply;
}

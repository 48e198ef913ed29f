//! `[interpreter-aliases]`: short names for shells, optionally with the encodings they speak.

use std::collections::BTreeMap;

use super::Invalid;

/// A shell behind an alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterpreterAlias {
    /// Path of the program.
    pub path: String,
    /// Encodings, when they are not to be guessed.
    pub encoding: Option<InterpreterEncoding>,
}

/// The encodings of an interpreter, IANA names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterpreterEncoding {
    /// Of the scripts it reads.
    pub input: String,
    /// Of what it prints.
    pub output: String,
}

/// Names from the IANA registry, lower case, that stand for a character set the agent can be asked for.
///
/// The registry has many more; these are the sets Go's `x/text` implements, with their usual aliases.
const ENCODINGS: &[&str] = &[
    "utf-8",
    "csutf8",
    "utf-16",
    "utf-16be",
    "utf-16le",
    "us-ascii",
    "ascii",
    "iso-8859-1",
    "iso_8859-1",
    "latin1",
    "l1",
    "iso-8859-2",
    "latin2",
    "iso-8859-3",
    "latin3",
    "iso-8859-4",
    "latin4",
    "iso-8859-5",
    "cyrillic",
    "iso-8859-6",
    "arabic",
    "iso-8859-6-e",
    "iso-8859-6-i",
    "iso-8859-7",
    "greek",
    "iso-8859-8",
    "hebrew",
    "iso-8859-8-e",
    "iso-8859-8-i",
    "iso-8859-9",
    "latin5",
    "iso-8859-10",
    "latin6",
    "iso-8859-13",
    "iso-8859-14",
    "latin8",
    "iso-8859-15",
    "latin-9",
    "iso-8859-16",
    "latin10",
    "windows-874",
    "windows-1250",
    "windows-1251",
    "windows-1252",
    "windows-1253",
    "windows-1254",
    "windows-1255",
    "windows-1256",
    "windows-1257",
    "windows-1258",
    "ibm037",
    "cp037",
    "ibm437",
    "cp437",
    "437",
    "ibm850",
    "cp850",
    "850",
    "ibm852",
    "cp852",
    "852",
    "ibm855",
    "cp855",
    "855",
    "ibm00858",
    "cp00858",
    "ccsid00858",
    "ibm860",
    "cp860",
    "860",
    "ibm862",
    "cp862",
    "862",
    "ibm863",
    "cp863",
    "863",
    "ibm865",
    "cp865",
    "865",
    "ibm866",
    "cp866",
    "866",
    "ibm1047",
    "ibm-1047",
    "ibm01140",
    "cp01140",
    "ccsid01140",
    "koi8-r",
    "koi8-u",
    "macintosh",
    "mac",
    "gbk",
    "cp936",
    "ms936",
    "windows-936",
    "gb18030",
    "hz-gb-2312",
    "gb2312",
    "big5",
    "euc-jp",
    "shift_jis",
    "ms_kanji",
    "iso-2022-jp",
    "euc-kr",
];

/// Checks the aliases. Each is a path, or a path with one encoding for both ways, or with one for each.
pub(super) fn resolve(
    section: &BTreeMap<String, Vec<String>>,
) -> Result<BTreeMap<String, InterpreterAlias>, Invalid> {
    section
        .iter()
        .map(|(alias, parts)| Ok((alias.clone(), resolve_one(alias, parts)?)))
        .collect()
}

fn resolve_one(alias: &str, parts: &[String]) -> Result<InterpreterAlias, Invalid> {
    let (path, input, output) = match parts {
        [path] => {
            return Ok(InterpreterAlias {
                path: path.clone(),
                encoding: None,
            });
        }
        [path, both] => (path, both, both),
        [path, input, output, ..] => (path, input, output),
        [] => {
            return Err(Invalid::new(
                format!("interpreter-aliases.{alias}"),
                format!(
                    "invalid interpreter alias \"{alias}\": []: give a path, or a list of path and encodings"
                ),
            ));
        }
    };
    for (direction, name) in [("input", input), ("output", output)] {
        if !ENCODINGS.contains(&name.to_ascii_lowercase().as_str()) {
            return Err(Invalid::new(
                format!("interpreter-aliases.{alias}"),
                format!(
                    "interpreter alias \"{alias}\": invalid {direction} encoding \"{name}\": give an IANA name such \
                     as utf-8, windows-1252 or cp437"
                ),
            ));
        }
    }
    Ok(InterpreterAlias {
        path: path.clone(),
        encoding: Some(InterpreterEncoding {
            input: input.clone(),
            output: output.clone(),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::encoding::Charset;

    #[test]
    fn every_name_that_is_accepted_is_known_when_a_script_runs() {
        for name in ENCODINGS {
            assert!(Charset::find(name).is_some(), "{name}");
            assert!(Charset::find(&name.to_uppercase()).is_some(), "{name}");
        }
    }
}

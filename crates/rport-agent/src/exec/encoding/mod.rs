//! The encodings interpreters speak, for aliases that name them.
//!
//! Names are those of the IANA registry, as far as Go's `x/text` knows them. Without an alias that names encodings
//! everything is UTF-8 and nothing here is used.

mod tables;

use encoding_rs::{CoderResult, Encoding};

/// How text becomes bytes and bytes become text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charset {
    /// One the library knows.
    Known(&'static Encoding),
    /// UTF-16: the library reads it only.
    Utf16 {
        /// Bytes of a unit: least significant first.
        little: bool,
        /// Starts with a byte order mark, which decides when reading.
        mark: bool,
    },
    /// Bytes below 128 are characters, others are none.
    Ascii,
    /// ISO 8859-1, with the changes listed: the library takes it for windows-1252, as browsers must.
    Latin1(&'static [(u8, char)]),
    /// ASCII, and characters for the bytes from 128 on.
    Upper(&'static str),
    /// A code page of IBM's mainframes: a whole table, with the changes listed.
    Ebcdic(&'static [(u8, char)]),
    /// GB 2312 in seven bits (RFC 1843).
    Hz,
}

/// ISO 8859-9 is ISO 8859-1 with six Turkish letters.
const LATIN5: &[(u8, char)] = &[
    (0xD0, 'Ğ'),
    (0xDD, 'İ'),
    (0xDE, 'Ş'),
    (0xF0, 'ğ'),
    (0xFD, 'ı'),
    (0xFE, 'ş'),
];
/// Code page 1047, as it differs from 037.
const CP1047: &[(u8, char)] = &[
    (0x5F, '^'),
    (0xAD, '['),
    (0xB0, '¬'),
    (0xBA, 'Ý'),
    (0xBB, '¨'),
    (0xBD, ']'),
];
/// Code page 1140, as it differs from 037.
const CP1140: &[(u8, char)] = &[(0x9F, '€')];

impl Charset {
    /// Finds an encoding by its name, in any case.
    pub(crate) fn find(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        Some(match name.as_str() {
            "utf-16" => Self::Utf16 {
                little: false,
                mark: true,
            },
            "utf-16be" => Self::Utf16 {
                little: false,
                mark: false,
            },
            "utf-16le" => Self::Utf16 {
                little: true,
                mark: false,
            },
            "csutf8" => Self::Known(encoding_rs::UTF_8),
            "us-ascii" | "ascii" => Self::Ascii,
            "iso-8859-1" | "iso_8859-1" | "latin1" | "l1" => Self::Latin1(&[]),
            "iso-8859-9" | "latin5" => Self::Latin1(LATIN5),
            "ibm437" | "cp437" | "437" => Self::Upper(tables::CP437),
            "ibm850" | "cp850" | "850" => Self::Upper(tables::CP850),
            "ibm852" | "cp852" | "852" => Self::Upper(tables::CP852),
            "ibm855" | "cp855" | "855" => Self::Upper(tables::CP855),
            "ibm00858" | "cp00858" | "ccsid00858" => Self::Upper(tables::CP858),
            "ibm860" | "cp860" | "860" => Self::Upper(tables::CP860),
            "ibm862" | "cp862" | "862" => Self::Upper(tables::CP862),
            "ibm863" | "cp863" | "863" => Self::Upper(tables::CP863),
            "ibm865" | "cp865" | "865" => Self::Upper(tables::CP865),
            "ibm037" | "cp037" => Self::Ebcdic(&[]),
            "ibm1047" | "ibm-1047" => Self::Ebcdic(CP1047),
            "ibm01140" | "cp01140" | "ccsid01140" => Self::Ebcdic(CP1140),
            "cp936" | "ms936" | "windows-936" => Self::Known(encoding_rs::GBK),
            "latin8" => Self::Known(encoding_rs::ISO_8859_14),
            "latin-9" => Self::Known(encoding_rs::ISO_8859_15),
            "latin10" => Self::Known(encoding_rs::ISO_8859_16),
            "hz-gb-2312" => Self::Hz,
            "cp866" | "866" => Self::Known(encoding_rs::IBM866),
            name => Self::Known(Encoding::for_label(name.as_bytes())?),
        })
    }

    /// Encodes a text.
    ///
    /// # Errors
    /// The first character that the encoding does not have.
    pub(crate) fn encode(self, text: &str) -> Result<Vec<u8>, char> {
        match self {
            Self::Known(encoding) => encode_known(encoding, text),
            Self::Utf16 { little, mark } => Ok(mark
                .then_some(0xFEFF)
                .into_iter()
                .chain(text.encode_utf16())
                .flat_map(|unit| {
                    if little {
                        unit.to_le_bytes()
                    } else {
                        unit.to_be_bytes()
                    }
                })
                .collect()),
            Self::Hz => encode_hz(text),
            Self::Ascii | Self::Latin1(_) | Self::Upper(_) | Self::Ebcdic(_) => {
                let table = self.table();
                text.chars()
                    .map(|c| match table.iter().position(|entry| *entry == c) {
                        Some(byte) if c != char::REPLACEMENT_CHARACTER => Ok(byte as u8),
                        _ => Err(c),
                    })
                    .collect()
            }
        }
    }

    /// Starts to decode a stream.
    pub(crate) fn decoder(self) -> Decoder {
        Decoder(match self {
            Self::Known(encoding) => State::Known(encoding.new_decoder_without_bom_handling()),
            Self::Utf16 { little, mark } => {
                let encoding = if little {
                    encoding_rs::UTF_16LE
                } else {
                    encoding_rs::UTF_16BE
                };
                State::Known(if mark {
                    encoding.new_decoder()
                } else {
                    encoding.new_decoder_without_bom_handling()
                })
            }
            Self::Hz => State::Hz {
                gbk: encoding_rs::GBK.new_decoder_without_bom_handling(),
                escape: false,
                double: false,
            },
            Self::Ascii | Self::Latin1(_) | Self::Upper(_) | Self::Ebcdic(_) => State::Table(self.table()),
        })
    }

    /// Decodes a whole output.
    pub(crate) fn decode(self, bytes: &[u8]) -> String {
        let mut text = String::new();
        self.decoder().decode(bytes, true, &mut text);
        text
    }

    /// The character of each byte.
    fn table(self) -> Box<[char; 256]> {
        let mut table = Box::new([char::REPLACEMENT_CHARACTER; 256]);
        let mut fill = |from: usize, chars: &str| {
            for (entry, c) in table[from..].iter_mut().zip(chars.chars()) {
                *entry = c;
            }
        };
        let changes = match self {
            Self::Latin1(changes) => {
                let all: String = (0..=255_u8).map(char::from).collect();
                fill(0, &all);
                changes
            }
            Self::Ebcdic(changes) => {
                fill(0, tables::CP037);
                changes
            }
            other => {
                let ascii: String = (0..128_u8).map(char::from).collect();
                fill(0, &ascii);
                if let Self::Upper(chars) = other {
                    fill(128, chars);
                }
                &[]
            }
        };
        for (byte, c) in changes {
            table[usize::from(*byte)] = *c;
        }
        table
    }
}

fn encode_known(encoding: &'static Encoding, text: &str) -> Result<Vec<u8>, char> {
    let mut encoder = encoding.new_encoder();
    let mut bytes = Vec::with_capacity(text.len() + 16);
    let mut rest = text;
    loop {
        let (result, read) = encoder.encode_from_utf8_to_vec_without_replacement(rest, &mut bytes, true);
        rest = &rest[read..];
        match result {
            encoding_rs::EncoderResult::InputEmpty => return Ok(bytes),
            encoding_rs::EncoderResult::OutputFull => bytes.reserve(rest.len() + 64),
            encoding_rs::EncoderResult::Unmappable(c) => return Err(c),
        }
    }
}

fn encode_hz(text: &str) -> Result<Vec<u8>, char> {
    let mut bytes = Vec::with_capacity(text.len() + 8);
    let mut double = false;
    for c in text.chars() {
        if c.is_ascii() {
            if double {
                bytes.extend(b"~}");
                double = false;
            }
            if c == '~' {
                bytes.push(b'~');
            }
            bytes.push(c as u8);
            continue;
        }
        let pair = encode_known(encoding_rs::GBK, c.encode_utf8(&mut [0; 4]))?;
        let [first @ 0xA1..=0xF7, second @ 0xA1..=0xFE] = pair[..] else {
            return Err(c);
        };
        if !double {
            bytes.extend(b"~{");
            double = true;
        }
        bytes.extend([first & 0x7F, second & 0x7F]);
    }
    if double {
        bytes.extend(b"~}");
    }
    Ok(bytes)
}

/// Decodes a stream piece by piece; what is no character becomes U+FFFD.
pub(crate) struct Decoder(State);

enum State {
    Known(encoding_rs::Decoder),
    Table(Box<[char; 256]>),
    Hz {
        gbk: encoding_rs::Decoder,
        /// The byte before was a tilde.
        escape: bool,
        /// Between `~{` and `~}`.
        double: bool,
    },
}

impl Decoder {
    /// Appends the characters of a piece; `last` tells that nothing follows.
    pub(crate) fn decode(&mut self, bytes: &[u8], last: bool, text: &mut String) {
        match &mut self.0 {
            State::Known(decoder) => decode_known(decoder, bytes, last, text),
            State::Table(table) => text.extend(bytes.iter().map(|byte| table[usize::from(*byte)])),
            State::Hz { gbk, escape, double } => {
                for byte in bytes.iter().copied() {
                    if std::mem::take(escape) {
                        match byte {
                            b'{' => *double = true,
                            b'}' => *double = false,
                            b'~' => text.push('~'),
                            b'\n' => {}
                            _ => text.push(char::REPLACEMENT_CHARACTER),
                        }
                    } else if byte == b'~' {
                        *escape = true;
                    } else if *double && byte > b' ' {
                        decode_known(gbk, &[byte | 0x80], false, text);
                    } else {
                        // A line end ends the two-byte mode, says the RFC, should the writer have forgotten.
                        *double &= byte != b'\n';
                        decode_known(gbk, &[byte & 0x7F], false, text);
                    }
                }
                if last {
                    decode_known(gbk, &[], true, text);
                }
            }
        }
    }
}

fn decode_known(decoder: &mut encoding_rs::Decoder, mut bytes: &[u8], last: bool, text: &mut String) {
    loop {
        let needed = decoder
            .max_utf8_buffer_length(bytes.len())
            .unwrap_or(bytes.len() * 3 + 16);
        text.reserve(needed);
        let (result, read, _) = decoder.decode_to_string(bytes, text, last);
        bytes = &bytes[read..];
        if result == CoderResult::InputEmpty {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_bytes() {
        for (name, text, bytes) in [
            ("utf-8", "é€", &b"\xc3\xa9\xe2\x82\xac"[..]),
            ("UTF-16", "é", b"\xfe\xff\x00\xe9"),
            ("utf-16le", "é😀", b"\xe9\x00\x3d\xd8\x00\xde"),
            ("utf-16be", "é", b"\x00\xe9"),
            ("iso-8859-1", "é\u{80}", b"\xe9\x80"),
            ("iso-8859-15", "€", b"\xa4"),
            ("latin5", "ığ", b"\xfd\xf0"),
            ("Windows-1252", "€é", b"\x80\xe9"),
            ("windows-1251", "Ж", b"\xc6"),
            ("koi8-r", "Ж", b"\xf6"),
            ("cp437", "é█", b"\x82\xdb"),
            ("IBM850", "éÁ", b"\x82\xb5"),
            ("cp852", "Ł", b"\x9d"),
            ("ibm00858", "€", b"\xd5"),
            ("cp866", "Ж", b"\x86"),
            ("ibm037", "A1[", b"\xc1\xf1\xba"),
            ("ibm1047", "A1[", b"\xc1\xf1\xad"),
            ("ibm01140", "€", b"\x9f"),
            ("gbk", "中", b"\xd6\xd0"),
            ("hz-gb-2312", "a~中文b", b"a~~~{VPND~}b"),
            ("shift_jis", "日", b"\x93\xfa"),
            ("euc-jp", "日", b"\xc6\xfc"),
            ("big5", "中", b"\xa4\xa4"),
            ("euc-kr", "한", b"\xc7\xd1"),
            ("iso-2022-jp", "日", b"\x1b$BF|\x1b(B"),
        ] {
            let charset = Charset::find(name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(charset.encode(text).unwrap(), bytes, "{name}");
            assert_eq!(charset.decode(bytes), text, "{name}");
            // Byte by byte, as pipes may give them.
            let mut decoder = charset.decoder();
            let mut pieces = String::new();
            for byte in bytes {
                decoder.decode(&[*byte], false, &mut pieces);
            }
            decoder.decode(&[], true, &mut pieces);
            assert_eq!(pieces, text, "{name}");
        }
    }

    #[test]
    fn what_an_encoding_does_not_have_is_named() {
        for (name, text, missing) in [
            ("us-ascii", "aé", 'é'),
            ("cp437", "€", '€'),
            ("iso-8859-1", "€", '€'),
            ("windows-1252", "Ж", 'Ж'),
            ("hz-gb-2312", "€", '€'),
            ("ibm037", "\u{fffd}", '\u{fffd}'),
        ] {
            assert_eq!(Charset::find(name).unwrap().encode(text), Err(missing), "{name}");
        }
        assert_eq!(Charset::Ascii.decode(b"a\xff"), "a\u{fffd}");
        assert_eq!(Charset::find("klingon"), None);
    }

    #[test]
    fn tables_are_complete() {
        for half in [
            tables::CP437,
            tables::CP850,
            tables::CP852,
            tables::CP855,
            tables::CP858,
            tables::CP860,
            tables::CP862,
            tables::CP863,
            tables::CP865,
        ] {
            assert_eq!(half.chars().count(), 128);
        }
        assert_eq!(tables::CP037.chars().count(), 256);
    }

    proptest! {
        #[test]
        fn any_bytes_decode_the_same_in_pieces(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            cut in 0usize..200,
            name in prop::sample::select(vec![
                "utf-8", "utf-16", "utf-16le", "gbk", "hz-gb-2312", "shift_jis", "iso-2022-jp", "cp437", "ibm1047",
            ]),
        ) {
            let charset = Charset::find(name).unwrap();
            let (one, two) = bytes.split_at(cut.min(bytes.len()));
            let mut decoder = charset.decoder();
            let mut pieces = String::new();
            decoder.decode(one, false, &mut pieces);
            decoder.decode(two, true, &mut pieces);
            prop_assert_eq!(pieces, charset.decode(&bytes));
        }

        #[test]
        fn what_can_be_written_can_be_read(
            text in "[a-zäöüЖ中日~ \n]{0,40}",
            name in prop::sample::select(vec!["utf-8", "utf-16", "utf-16be", "gbk", "hz-gb-2312", "cp850", "ibm037"]),
        ) {
            let charset = Charset::find(name).unwrap();
            if let Ok(bytes) = charset.encode(&text) {
                prop_assert_eq!(charset.decode(&bytes), text);
            }
        }
    }
}

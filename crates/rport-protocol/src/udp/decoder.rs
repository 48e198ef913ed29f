//! Gob to frames.

use bytes::{Bytes, BytesMut};

use super::{
    GobError,
    frame::{UdpAddr, UdpFrame},
    types::{BYTES, Field, FieldName, INT, STRING, StructReader, Types},
    value::{Reader, uint_prefix},
};

/// What a decoder accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UdpLimits {
    /// Largest message in bytes: a datagram of 64 KiB with address and field numbers.
    pub max_message: usize,
    /// Number of type definitions.
    pub max_types: usize,
    /// Length of an IPv6 zone in bytes.
    pub max_zone: usize,
}

impl Default for UdpLimits {
    fn default() -> Self {
        Self {
            max_message: 64 * 1024 + 512,
            max_types: 16,
            max_zone: 64,
        }
    }
}

/// Reads one gob stream. Keep one per channel and direction.
#[derive(Debug, Default)]
pub struct UdpDecoder {
    limits: UdpLimits,
    buffer: BytesMut,
    types: Types,
    failed: Option<GobError>,
}

impl UdpDecoder {
    /// Makes the decoder of a fresh stream with the usual limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the decoder of a fresh stream.
    pub fn with_limits(limits: UdpLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Adds bytes of the stream, in pieces of any size. Take out the frames before adding more: what was added is
    /// kept until then.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Takes out the next frame; `None` means that more bytes are needed. Payloads share the buffer of the decoder.
    ///
    /// # Errors
    /// The stream makes no sense. The decoder then stays at that error and keeps nothing more.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator ends, this one waits for more bytes"
    )]
    pub fn next(&mut self) -> Result<Option<UdpFrame>, GobError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.advance().inspect_err(|error| {
            self.failed = Some(error.clone());
            self.buffer = BytesMut::new();
        })
    }

    fn advance(&mut self) -> Result<Option<UdpFrame>, GobError> {
        while let Some(message) = self.take_message()? {
            let mut reader = Reader::new(&message);
            let id = reader.int()?;
            let frame = if id < 0 {
                if self.types.len() >= self.limits.max_types {
                    return Err(GobError::TooManyTypes(self.limits.max_types));
                }
                // The most negative id has no positive counterpart.
                let id = id.checked_neg().ok_or(GobError::OutOfRange("type id"))?;
                self.types.define(id, &mut reader)?;
                None
            } else {
                Some(self.read_frame(id, &message, &mut reader)?)
            };
            if !reader.rest.is_empty() {
                return Err(GobError::TrailingBytes(reader.rest.len()));
            }
            if frame.is_some() {
                return Ok(frame);
            }
        }
        Ok(None)
    }

    /// Cuts the next whole message, without its length, from the buffer.
    fn take_message(&mut self) -> Result<Option<Bytes>, GobError> {
        let Some((size, used)) = uint_prefix(&self.buffer)? else {
            return Ok(None);
        };
        let max = self.limits.max_message;
        let len = usize::try_from(size)
            .ok()
            .filter(|len| *len <= max)
            .ok_or(GobError::MessageTooLarge { size, max })?;
        if self.buffer.len() - used < len {
            self.buffer.reserve(len);
            return Ok(None);
        }
        let mut message = self.buffer.split_to(used + len).freeze();
        Ok(Some(message.split_off(used)))
    }

    fn read_frame(&self, id: i64, message: &Bytes, reader: &mut Reader<'_>) -> Result<UdpFrame, GobError> {
        let fields = self.struct_fields(id, "datagram")?;
        let mut frame = UdpFrame {
            addr: None,
            data: Bytes::new(),
        };
        let mut parts = StructReader::new(reader);
        while let Some(index) = parts.next()? {
            let field = fields.get(index).ok_or(GobError::OutOfRange("field number"))?;
            match field.name {
                FieldName::Addr => frame.addr = Some(self.read_addr(field.type_id, parts.reader)?),
                FieldName::Data => {
                    expect(field, BYTES, "Data")?;
                    frame.data = message.slice_ref(parts.reader.bytes()?);
                }
                _ => self.types.skip(field.type_id, parts.reader)?,
            }
        }
        Ok(frame)
    }

    fn read_addr(&self, id: i64, reader: &mut Reader<'_>) -> Result<UdpAddr, GobError> {
        let fields = self.struct_fields(id, "Addr")?;
        let (mut ip, mut port, mut zone): (&[u8], _, &[u8]) = (&[], 0, &[]);
        let mut parts = StructReader::new(reader);
        while let Some(index) = parts.next()? {
            let field = fields.get(index).ok_or(GobError::OutOfRange("field number"))?;
            match field.name {
                FieldName::Ip => {
                    expect(field, BYTES, "IP")?;
                    ip = parts.reader.bytes()?;
                }
                FieldName::Port => {
                    expect(field, INT, "Port")?;
                    port = u16::try_from(parts.reader.int()?).map_err(|_| GobError::OutOfRange("Port"))?;
                }
                FieldName::Zone => {
                    expect(field, STRING, "Zone")?;
                    zone = parts.reader.bytes()?;
                }
                _ => self.types.skip(field.type_id, parts.reader)?,
            }
        }
        let zone = std::str::from_utf8(zone)
            .ok()
            .filter(|zone| zone.len() <= self.limits.max_zone);
        UdpAddr::from_raw(ip, port, zone.ok_or(GobError::OutOfRange("Zone"))?)
            .ok_or(GobError::OutOfRange("IP"))
    }

    fn struct_fields(&self, id: i64, what: &'static str) -> Result<&[Field], GobError> {
        match self.types.fields(id) {
            Some(fields) => Ok(fields),
            None if id < 64 || self.types.is_known(id) => Err(GobError::WrongType(what)),
            None => Err(GobError::UndefinedType(id)),
        }
    }
}

fn expect(field: &Field, type_id: i64, name: &'static str) -> Result<(), GobError> {
    if field.type_id == type_id {
        Ok(())
    } else {
        Err(GobError::WrongType(name))
    }
}

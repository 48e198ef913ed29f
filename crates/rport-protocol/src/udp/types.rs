//! Type definitions of a stream, and skipping values of any type.
//!
//! Source: Go `encoding/gob`, `type.go`: a definition is a value of `wireType`, a struct with one of seven kinds set,
//! each of which starts with a common part (name, id).

use std::collections::HashMap;

use super::{GobError, value::Reader};

/// Struct fields kept per type. Frames need three; newer peers may add some.
const MAX_FIELDS: u64 = 64;
/// How deep values may nest. Frames need two levels.
const MAX_DEPTH: u8 = 16;

pub(super) const INT: i64 = 2;
pub(super) const BYTES: i64 = 5;
pub(super) const STRING: i64 = 6;
/// Ids below belong to Go.
const FIRST_FREE_ID: i64 = 64;

/// The field names a frame is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldName {
    Addr,
    Data,
    Ip,
    Port,
    Zone,
    Other,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) name: FieldName,
    pub(super) type_id: i64,
}

#[derive(Debug)]
pub(super) enum Type {
    Struct(Vec<Field>),
    /// Arrays and slices have the same form.
    List(i64),
    Map(i64, i64),
    /// A type with its own encoding: bytes.
    Opaque,
}

/// The types a stream has defined.
#[derive(Debug, Default)]
pub(super) struct Types {
    defined: HashMap<i64, Type>,
}

impl Types {
    pub(super) fn len(&self) -> usize {
        self.defined.len()
    }

    pub(super) fn fields(&self, id: i64) -> Option<&[Field]> {
        match self.defined.get(&id) {
            Some(Type::Struct(fields)) => Some(fields),
            _ => None,
        }
    }

    pub(super) fn is_known(&self, id: i64) -> bool {
        self.defined.contains_key(&id)
    }

    /// Reads the definition of a type.
    pub(super) fn define(&mut self, id: i64, reader: &mut Reader<'_>) -> Result<(), GobError> {
        if id < FIRST_FREE_ID || self.is_known(id) {
            return Err(GobError::BadDefinition(id));
        }
        let kind = reader.uint()?;
        let mut parts = StructReader::new(reader);
        let mut members = Vec::new();
        let mut fields = Vec::new();
        while let Some(part) = parts.next()? {
            match (kind, part) {
                (1..=7, 0) => skip_common(parts.reader)?,
                (3, 1) => fields = read_fields(parts.reader)?,
                // Element type, key type, length: all signed numbers.
                (1 | 2 | 4, 1 | 2) => members.push(parts.reader.int()?),
                _ => return Err(GobError::WrongType("type definition")),
            }
        }
        // Ends the outer struct: exactly one kind is set.
        if reader.uint()? != 0 {
            return Err(GobError::WrongType("type definition"));
        }
        let defined = match (kind, members.as_slice()) {
            (1, [element, ..]) | (2, [element]) => Type::List(*element),
            (3, []) => Type::Struct(fields),
            (4, [key, element]) => Type::Map(*key, *element),
            (5..=7, []) => Type::Opaque,
            _ => return Err(GobError::WrongType("type definition")),
        };
        self.defined.insert(id, defined);
        Ok(())
    }

    /// Skips a value of any type.
    pub(super) fn skip(&self, id: i64, reader: &mut Reader<'_>) -> Result<(), GobError> {
        self.skip_at(id, reader, 0)
    }

    fn skip_at(&self, id: i64, reader: &mut Reader<'_>, depth: u8) -> Result<(), GobError> {
        if depth == MAX_DEPTH {
            return Err(GobError::TooDeep);
        }
        match id {
            // bool, int, uint, float: one number each
            1..=4 => reader.uint().map(drop),
            BYTES | STRING => reader.bytes().map(drop),
            // complex: two numbers
            7 => reader.uint().and_then(|_| reader.uint()).map(drop),
            8 => skip_interface(reader),
            _ => match self.defined.get(&id).ok_or(GobError::UndefinedType(id))? {
                Type::Opaque => reader.bytes().map(drop),
                Type::List(element) => self.skip_many(&[*element], reader, depth),
                Type::Map(key, element) => self.skip_many(&[*key, *element], reader, depth),
                Type::Struct(fields) => {
                    let mut parts = StructReader::new(reader);
                    while let Some(index) = parts.next()? {
                        let field = fields.get(index).ok_or(GobError::OutOfRange("field number"))?;
                        self.skip_at(field.type_id, parts.reader, depth + 1)?;
                    }
                    Ok(())
                }
            },
        }
    }

    /// Skips the entries of a list or map. Every value has at least one byte, so a count larger than the rest of the
    /// message ends with an error, not with a long loop.
    fn skip_many(&self, ids: &[i64], reader: &mut Reader<'_>, depth: u8) -> Result<(), GobError> {
        for _ in 0..reader.uint()? {
            for id in ids {
                self.skip_at(*id, reader, depth + 1)?;
            }
        }
        Ok(())
    }
}

/// An interface value: the name of the concrete type; if there is one, its id and the value with its length.
fn skip_interface(reader: &mut Reader<'_>) -> Result<(), GobError> {
    if reader.bytes()?.is_empty() {
        return Ok(());
    }
    reader.int()?;
    reader.bytes().map(drop)
}

/// Skips name and id; the id that counts stands in front of the definition.
fn skip_common(reader: &mut Reader<'_>) -> Result<(), GobError> {
    let mut parts = StructReader::new(reader);
    while let Some(part) = parts.next()? {
        match part {
            0 => parts.reader.bytes().map(drop)?,
            1 => parts.reader.int().map(drop)?,
            _ => return Err(GobError::WrongType("type definition")),
        }
    }
    Ok(())
}

fn read_fields(reader: &mut Reader<'_>) -> Result<Vec<Field>, GobError> {
    let count = reader.uint()?;
    if count > MAX_FIELDS {
        return Err(GobError::OutOfRange("number of fields"));
    }
    (0..count).map(|_| read_field(reader)).collect()
}

fn read_field(reader: &mut Reader<'_>) -> Result<Field, GobError> {
    let mut field = Field {
        name: FieldName::Other,
        type_id: 0,
    };
    let mut parts = StructReader::new(reader);
    while let Some(part) = parts.next()? {
        match part {
            0 => {
                field.name = match parts.reader.bytes()? {
                    b"Addr" => FieldName::Addr,
                    b"Data" => FieldName::Data,
                    b"IP" => FieldName::Ip,
                    b"Port" => FieldName::Port,
                    b"Zone" => FieldName::Zone,
                    _ => FieldName::Other,
                };
            }
            1 => field.type_id = parts.reader.int()?,
            _ => return Err(GobError::WrongType("type definition")),
        }
    }
    Ok(field)
}

/// Walks over the fields present in a struct value.
pub(super) struct StructReader<'r, 'a> {
    pub(super) reader: &'r mut Reader<'a>,
    /// One past the field read last.
    next: usize,
}

impl<'r, 'a> StructReader<'r, 'a> {
    pub(super) fn new(reader: &'r mut Reader<'a>) -> Self {
        Self { reader, next: 0 }
    }

    /// Gives the number of the next field that is present; its value must be read before the next call.
    pub(super) fn next(&mut self) -> Result<Option<usize>, GobError> {
        let delta = usize::try_from(self.reader.uint()?).unwrap_or(usize::MAX);
        if delta == 0 {
            return Ok(None);
        }
        self.next = self
            .next
            .checked_add(delta)
            .ok_or(GobError::OutOfRange("field number"))?;
        Ok(Some(self.next - 1))
    }
}

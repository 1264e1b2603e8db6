//! A certificate (X.509, RFC 5280): what a report and `-v` show of it. Nothing of it is judged.

use super::key::Key;
use der::asn1::{AnyRef, GeneralizedTime, ObjectIdentifier, UtcTime};
use der::{DateTime, Reader, Result, SliceReader, Tag, TagNumber, Tagged};
use std::fmt::{self, Display, Formatter, Write};

const VERSION: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };
const EXTENSIONS: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(3) };

/// A certificate; its Display is what `ab -v 2` prints of one.
#[derive(Debug)]
pub struct Certificate<'a> {
    /// 1 to 3.
    version: u8,
    issuer: AnyRef<'a>,
    /// Its first and its last moment.
    valid: [AnyRef<'a>; 2],
    subject: AnyRef<'a>,
    pub key: Key<'a>,
    /// How many there are.
    extensions: usize,
}

impl<'a> Certificate<'a> {
    /// Reads it.
    ///
    /// # Errors
    /// It is not in DER.
    pub fn parse(der: &'a [u8]) -> Result<Certificate<'a>> {
        AnyRef::try_from(der)?.sequence(|certificate| {
            let fields = certificate.decode::<AnyRef<'a>>()?.sequence(Certificate::fields)?;
            let [_algorithm, _signature]: [AnyRef<'a>; 2] = [certificate.decode()?, certificate.decode()?];
            Ok(fields)
        })
    }

    fn fields(fields: &mut SliceReader<'a>) -> Result<Certificate<'a>> {
        let first: AnyRef<'a> = fields.decode()?;
        let mut version = 0_u8;
        if first.tag() == VERSION {
            version = AnyRef::try_from(first.value())?.decode_as()?;
            let _serial: AnyRef<'a> = fields.decode()?;
        }
        let [_algorithm, issuer, valid, subject, key]: [AnyRef<'a>; 5] =
            [fields.decode()?, fields.decode()?, fields.decode()?, fields.decode()?, fields.decode()?];
        let valid = valid.sequence(|times| Ok::<_, der::Error>([times.decode()?, times.decode()?]))?;
        let mut extensions = 0;
        while !fields.is_finished() {
            let field: AnyRef<'a> = fields.decode()?;
            if field.tag() == EXTENSIONS {
                extensions = AnyRef::try_from(field.value())?.sequence(count)?;
            }
        }
        Ok(Certificate {
            version: version.saturating_add(1),
            issuer,
            valid,
            subject,
            key: Key::parse(key)?,
            extensions,
        })
    }
}

fn count(values: &mut SliceReader<'_>) -> Result<usize> {
    let mut count = 0;
    while !values.is_finished() {
        values.decode::<AnyRef<'_>>()?;
        count += 1;
    }
    Ok(count)
}

impl Display for Certificate<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "Certificate version: {}", self.version)?;
        writeln!(f, "Valid from: {}\nValid to  : {}", time(self.valid[0]), time(self.valid[1]))?;
        writeln!(f, "Public key is {} bits", self.key.bits())?;
        writeln!(f, "The issuer name is {}", one_line(self.issuer))?;
        writeln!(f, "The subject name is {}", one_line(self.subject))?;
        writeln!(f, "Extension Count: {}", self.extensions)
    }
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `Nov 30 04:17:32 2026 GMT`
fn time(value: AnyRef<'_>) -> String {
    let parsed: Result<DateTime> = match value.tag() {
        Tag::UtcTime => value.decode_as::<UtcTime>().map(|time| time.to_date_time()),
        _ => value.decode_as::<GeneralizedTime>().map(|time| time.to_date_time()),
    };
    let Ok(time) = parsed else { return "Bad time value".into() };
    let month = MONTHS.get(usize::from(time.month()).wrapping_sub(1)).copied().unwrap_or_default();
    let (day, year) = (time.day(), time.year());
    format!("{month} {day:>2} {:02}:{:02}:{:02} {year} GMT", time.hour(), time.minutes(), time.seconds())
}

/// A name as OpenSSL has it in one line: `/C=DE/CN=a.test`. A `/` or `+` in a value has a `\` in front; a byte that ASCII
/// cannot print is `\x` and two digits.
fn one_line(name: AnyRef<'_>) -> String {
    let mut line = String::new();
    // What is broken ends the line.
    let _ = name.sequence(|sets| {
        while !sets.is_finished() {
            let mut set = SliceReader::new(sets.decode::<AnyRef<'_>>()?.value())?;
            while !set.is_finished() {
                let (kind, value) = set.decode::<AnyRef<'_>>()?.sequence(|pair| {
                    Ok::<_, der::Error>((pair.decode::<ObjectIdentifier>()?, pair.decode::<AnyRef<'_>>()?))
                })?;
                let _ = write!(line, "/{}=", attribute(&kind.to_string()));
                for &byte in value.value() {
                    let _ = match byte {
                        b'/' | b'+' => write!(line, "\\{}", char::from(byte)),
                        b' '..=b'~' => write!(line, "{}", char::from(byte)),
                        _ => write!(line, "\\x{byte:02X}"),
                    };
                }
            }
        }
        Ok::<_, der::Error>(())
    });
    line
}

/// OpenSSL's short name of a part of a name; of a rare one its numbers.
fn attribute(kind: &str) -> &str {
    match kind {
        "2.5.4.3" => "CN",
        "2.5.4.4" => "SN",
        "2.5.4.5" => "serialNumber",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "street",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.12" => "title",
        "2.5.4.15" => "businessCategory",
        "2.5.4.17" => "postalCode",
        "2.5.4.42" => "GN",
        "2.5.4.97" => "organizationIdentifier",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "emailAddress",
        "1.3.6.1.4.1.311.60.2.1.2" => "jurisdictionST",
        "1.3.6.1.4.1.311.60.2.1.3" => "jurisdictionC",
        other => other,
    }
}

//! One reading of a path: decided on in the form that is forwarded, or refused.
//!
//! Escapes of unreserved characters are undone, other escapes are kept in capitals, dot segments are resolved. Because servers
//! differ in what else they fold (parameters, doubled or escaped slashes, trailing dots), each path also has a loose reading:
//! an allow rule must match both readings, a deny rule either.

/// Longer request targets are refused before they are read.
const MAX_LENGTH: usize = 16 * 1024;

/// A path in canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanonicalPath {
    exact: String,
    loose: Option<String>,
}

/// Why a path has no canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It does not start at the root.
    #[error("the path does not start with /")]
    Relative,
    /// Longer than 16 KiB.
    #[error("the path is longer than {MAX_LENGTH} bytes")]
    TooLong,
    /// A percent sign without two hexadecimal digits.
    #[error("the path has a broken percent escape")]
    Escape,
    /// Bytes that are no UTF-8, which hides overlong spellings of a slash or a dot.
    #[error("the path is not UTF-8 after decoding")]
    Encoding,
    /// A backslash, a control character, a space, or a sign that ends a path.
    #[error("the path holds a character that servers read differently")]
    Character,
    /// Dot segments above the root, or dressed with parameters, escaped slashes, dots or spaces.
    #[error("the path has dot segments that servers read differently")]
    DotSegment,
    /// An escape of an escaped dot, slash, backslash or control character.
    #[error("the path is encoded twice")]
    DoubleEncoding,
}

/// Brings a path (without its query) into canonical form.
pub fn canonical(raw: &str) -> Result<CanonicalPath, PathError> {
    if raw == "*" {
        return Ok(CanonicalPath { exact: raw.to_owned(), loose: None });
    }
    if !raw.starts_with('/') {
        return Err(PathError::Relative);
    }
    if raw.len() > MAX_LENGTH {
        return Err(PathError::TooLong);
    }
    if is_plain(raw) {
        return Ok(CanonicalPath { exact: raw.to_owned(), loose: None });
    }
    let (exact, loose) = canonical_text(raw)?;
    let loose = (loose != exact).then_some(loose);
    Ok(CanonicalPath { exact, loose })
}

impl CanonicalPath {
    /// What is decided on, forwarded and recorded.
    pub fn as_str(&self) -> &str {
        &self.exact
    }

    /// The loosest reading that a server could have of it.
    pub fn loose(&self) -> &str {
        self.loose.as_deref().unwrap_or(&self.exact)
    }
}

/// The exact and the loose form of a path or of a glob.
pub(crate) fn canonical_text(raw: &str) -> Result<(String, String), PathError> {
    let (root, rest) = raw.strip_prefix('/').map_or(("", raw), |rest| ("/", rest));
    let mut kept: Vec<Segment> = Vec::new();
    let mut segments = rest.split('/').peekable();
    while let Some(raw) = segments.next() {
        let segment = Segment::parse(raw)?;
        let last = segments.peek().is_none();
        match segment.decoded.as_str() {
            "." => {}
            ".." => drop(kept.pop().ok_or(PathError::DotSegment)?),
            _ => {
                kept.push(segment);
                continue;
            }
        }
        if last {
            kept.push(Segment::default());
        }
    }
    let exact = kept.iter().map(|segment| segment.exact.as_str()).collect::<Vec<_>>().join("/");
    Ok((format!("{root}{exact}"), format!("{root}{}", loose_form(&kept))))
}

#[derive(Default)]
struct Segment {
    exact: String,
    decoded: String,
}

impl Segment {
    fn parse(raw: &str) -> Result<Self, PathError> {
        let mut exact = String::with_capacity(raw.len());
        let mut decoded = Vec::with_capacity(raw.len());
        let bytes = raw.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let (byte, escaped) = match bytes[at] {
                b'%' => (escape(bytes, at)?, true),
                byte => (byte, false),
            };
            at += if escaped { 3 } else { 1 };
            if byte < 0x20 || byte == 0x7f || byte == b'\\' || (!escaped && matches!(byte, b' ' | b'#' | b'?')) {
                return Err(PathError::Character);
            }
            decoded.push(byte);
            push_exact(&mut exact, byte, escaped);
        }
        let decoded = String::from_utf8(decoded).map_err(|_| PathError::Encoding)?;
        refuse_double_encoding(&decoded)?;
        refuse_dressed_dots(&decoded)?;
        Ok(Self { exact, decoded })
    }
}

fn escape(bytes: &[u8], at: usize) -> Result<u8, PathError> {
    let digit = |offset: usize| bytes.get(at + offset).and_then(|byte| char::from(*byte).to_digit(16));
    match (digit(1), digit(2)) {
        (Some(high), Some(low)) => u8::try_from(high * 16 + low).map_err(|_| PathError::Escape),
        _ => Err(PathError::Escape),
    }
}

fn push_exact(out: &mut String, byte: u8, escaped: bool) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let raw_allowed = !escaped && b"!$&'()*+,;=:@".contains(&byte);
    if unreserved || raw_allowed {
        out.push(char::from(byte));
    } else {
        out.push('%');
        out.push(char::from(HEX[usize::from(byte >> 4)]));
        out.push(char::from(HEX[usize::from(byte & 15)]));
    }
}

/// `%252e` is a dot to a server that decodes twice.
fn refuse_double_encoding(decoded: &str) -> Result<(), PathError> {
    let mut rest = decoded.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        if let Ok(byte) = escape(rest, at)
            && (byte < 0x20 || matches!(byte, b'.' | b'/' | b'\\' | b'%' | b';' | 0x7f..))
        {
            return Err(PathError::DoubleEncoding);
        }
        rest = &rest[at + 1..];
    }
    Ok(())
}

/// `..;x`, `..%2fx`, `.. ` and `...` are dot segments to some server; only the plain ones are resolved here.
fn refuse_dressed_dots(decoded: &str) -> Result<(), PathError> {
    if matches!(decoded, "." | "..") {
        return Ok(());
    }
    let dressed = decoded.split('/').any(|part| {
        let bare = part.split(';').next().unwrap_or(part);
        !bare.is_empty() && bare.bytes().all(|byte| byte == b'.' || byte == b' ')
    });
    if dressed { Err(PathError::DotSegment) } else { Ok(()) }
}

/// Decoded, without parameters, with slashes merged and the ends of segments trimmed.
fn loose_form(segments: &[Segment]) -> String {
    let mut parts: Vec<&str> = Vec::with_capacity(segments.len());
    for part in segments.iter().flat_map(|segment| segment.decoded.split('/')) {
        let bare = part.split(';').next().unwrap_or(part).trim_end_matches(['.', ' ']);
        if !bare.is_empty() {
            parts.push(bare);
        }
    }
    let mut text = parts.join("/");
    if !parts.is_empty() && segments.last().is_some_and(|last| last.decoded.is_empty() || last.decoded.ends_with('/')) {
        text.push('/');
    }
    text
}

/// Whether a path needs no work, which is what nearly every client sends.
fn is_plain(raw: &str) -> bool {
    let bytes = raw.as_bytes();
    bytes.iter().enumerate().all(|(at, byte)| match byte {
        b'/' => at == 0 || bytes[at - 1] != b'/',
        b'.' => bytes[at - 1] != b'/' && bytes.get(at + 1).is_some_and(|next| *next != b'/' && *next != b'.'),
        byte => byte.is_ascii_alphanumeric() || b"-_~:@=+,$!&".contains(byte),
    })
}
